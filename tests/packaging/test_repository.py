"""Rules about files: their length, the lock files, the Makefile's promises."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.project import ROOT, run, settings

LOCKS = ("build", "fuzz", "runtime", "test")
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)


def lock(name: str) -> str:
    """Answer the text of one lock file."""
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, set[str]]:
    """Answer the pinned versions by distribution: more than one where Pythons differ."""
    found: dict[str, set[str]] = {}
    for match in PIN.finditer(lock(name)):
        found.setdefault(match["name"], set()).add(match["version"])
    return found


@pytest.mark.parametrize("package", ["broker", "backends"])
def test_no_module_is_longer_than_300_lines(package: str) -> None:
    """A file is one noun; above 300 lines it is two."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert {} == long


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_place(name: str) -> None:
    """Where packages come from is the installing machine's choice: no URL, no index, no path, no option."""
    lines = lock(name).splitlines()
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    options = [line for line in lines if line.lstrip().startswith("-")]
    assert [] == [line for line in options if not digest.fullmatch(line)]
    assert [] == [line for line in lines if "//" in line or "@" in line or line.startswith("/")]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_with_hashes(name: str) -> None:
    """Every requirement is one exact version followed by at least one hash."""
    text = lock(name)
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) == len(PIN.findall(text))
    assert len(requirements) == len(re.findall(r"^[a-z].*\\\n    --hash=", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        pytest.param("runtime", settings()["project"]["dependencies"], id="runtime"),
        pytest.param("test", settings()["project"]["dependencies"], id="test-has-the-runtime"),
        pytest.param("test", settings()["dependency-groups"]["test"], id="test"),
        pytest.param("build", settings()["dependency-groups"]["build"], id="build"),
        pytest.param("build", settings()["build-system"]["requires"], id="build-system"),
        pytest.param("fuzz", settings()["dependency-groups"]["fuzz"], id="fuzz"),
    ],
)
def test_lock_satisfies_what_is_declared(name: str, declared: list[str]) -> None:
    """A dependency changed in pyproject.toml without `make lock` is found here."""
    pinned = pins(name)
    for requirement in map(Requirement, declared):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert versions, requirement
        assert all(Version(version) in requirement.specifier for version in versions), requirement


def test_tests_run_with_the_versions_that_ship() -> None:
    """What the test lock adds changes no version of the runtime lock."""
    tested = pins("test")
    assert [] == [name for name, versions in pins("runtime").items() if tested.get(name) != versions]


def test_make_alone_lists_every_target() -> None:
    """`make` is how a newcomer asks what there is."""
    listed = run("make", "--no-print-directory").stdout
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [] == [target for target in phony.split() if not re.search(rf"^  {target} ", listed, re.MULTILINE)]


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    """Without a Python that is new enough, set-up stops with the versions and the variable to set."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    result = run("make", ".venv/.created", "PYTHON=/bin/false", cwd=tmp_path)
    assert 0 != result.returncode
    assert "needs Python 3.11 or newer" in result.stderr
    assert "make PYTHON=/path/to/python3" in result.stderr
    assert not (tmp_path / ".venv").exists()
