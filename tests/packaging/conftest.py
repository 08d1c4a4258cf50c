"""The wheel as it would be released, and a virtual environment that it is installed in."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from tests.packaging.project import run

collect_ignore = ["toy_backend"]  # a project of its own, whose tests are run where it is installed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the pinned build back end without a network."""
    directory = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a virtual environment that holds the wheel and borrows its dependencies."""
    home = tmp_path_factory.mktemp("installed")
    created = run(sys.executable, "-m", "venv", "--without-pip", home)
    assert created.returncode == 0, created.stderr
    pip = (sys.executable, "-m", "pip", "--python", home)
    placed = run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert placed.returncode == 0, placed.stdout + placed.stderr
    (site_packages,) = home.glob("lib/python3*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin"
