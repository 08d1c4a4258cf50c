"""The backend behaves alike with the oldest boto3 that pyproject.toml admits and with the locked one (R-060).

botocore changed its default retry mode and its number of attempts in between, and the backend reaches into two of its
sources of credentials, which have no public way to what it sets there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cache import cached

ROOT = Path(__file__).parents[3]
OLDEST = "1.40"
RECIPE = """\
boto3==1.40.0 --hash=sha256:959443055d2af676c336cc6033b3f870a8a924384b70d0b2905081d649378179
botocore==1.40.0 --hash=sha256:2063e6d035a6a382b2ae37e40f5144044e55d4e091910d0c9f1be3121ad3e4e6
s3transfer==0.13.1 --hash=sha256:a981aa7429be23fe6dfc13e80e4020057cbab622b08c0315288758d67cabc724
"""
BEHAVIOUR = ("test_environment.py", "test_credentials.py", "test_roles.py", "test_batch.py")


def install(directory: Path) -> None:
    """Put the old libraries where a process finds them before the locked ones."""
    (directory / "requirements.txt").write_text(RECIPE)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    options = ["--only-binary", ":all:", "--require-hashes", "--target", str(directory)]
    subprocess.run([*pip, *options, "-r", str(directory / "requirements.txt")], check=True, timeout=120)


@pytest.mark.backends
def test_oldest_library_behaves_as_the_newest() -> None:
    """Credentials, roles, batches and a poisoned environment, once more."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"boto3>={OLDEST}" in dependencies
    libraries = cached("boto3", RECIPE, install)
    files = [Path(__file__).with_name(name) for name in BEHAVIOUR]
    said = "import botocore; assert botocore.__version__.startswith('1.40.'), botocore.__version__"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(libraries)
    subprocess.run([sys.executable, "-c", said], env=environment, check=True, timeout=60)
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert 0 == finished.returncode, finished.stdout[-4000:]
