"""A secret backend of a third party: built, installed beside the wheel, held against the contract, put to work.

Its project is in `toy_backend`, complete as its author would have it; `docs/writing-a-backend.md` shows it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests import canary
from tests.daemon.running import Daemon
from tests.faults.daemons import authorization_server, renewed, token
from tests.packaging.project import BIN, ROOT, run
from tests.packaging.toy_backend.tests.acme_store import AcmeStore

PROJECT = ROOT / "tests" / "packaging" / "toy_backend"
PAGE = ROOT / "docs" / "writing-a-backend.md"


def blocks(page: str) -> dict[str, list[str]]:
    """Answer the fenced blocks of a page, by language."""
    found: dict[str, list[str]] = defaultdict(list)
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        found[language].append(text)
    return found


def code_lines(name: str) -> int:
    """Answer how many lines of a file are code: not blank, not the module's docstring."""
    source = (PROJECT / name).read_text()
    first = ast.parse(source).body[0]
    assert first.end_lineno is not None
    return len([line for line in source.splitlines()[first.end_lineno :] if line.strip()])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the toy's project, outside the repository."""
    return Path(shutil.copytree(PROJECT, tmp_path_factory.mktemp("acme") / "acme-secrets"))


@pytest.fixture(scope="module")
def environment(installed: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory where the toy is installed beside the wheel, both as wheels and from nowhere else."""
    directory = tmp_path_factory.mktemp("acme-dist")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory, cwd=project)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = directory.glob("*.whl")
    assert "acme_secrets-1.0-py3-none-any.whl" == wheel.name
    assert "acme_secrets.py" in zipfile.ZipFile(wheel).namelist()
    pip = (sys.executable, "-m", "pip", "--python", installed.parent)
    placed = run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert placed.returncode == 0, placed.stdout + placed.stderr
    return installed


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Tokens and secrets of this server carry the canary."""
    with DevelopmentAuthorizationServer(marker=canary.MARKER, token_format="jwt") as running:
        yield running


def test_page_shows_the_project_as_it_is() -> None:
    """docs/writing-a-backend.md: what is proven here is what a newcomer copies, and it is not much."""
    shown = blocks(PAGE.read_text())
    assert [
        (PROJECT / "acme_secrets.py").read_text(),
        (PROJECT / "tests/test_acme_secrets.py").read_text(),
    ] == (shown["python"])
    assert (PROJECT / "pyproject.toml").read_text() == shown["toml"][0]
    assert 60 > code_lines("acme_secrets.py")
    assert 40 >= code_lines("tests/test_acme_secrets.py")


@pytest.mark.backends
def test_toy_is_listed_with_its_origin(environment: Path, tmp_path: Path) -> None:
    """It came in through its own entry point."""
    listed = run(
        environment / "token-broker", "plugins", "--json", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}
    )
    expected = {
        "kind": "secret_backend",
        "name": "acme",
        "distribution": "acme-secrets",
        "version": "1.0",
        "origin": "acme_secrets:plugin",
        "capabilities": ["versions"],
        "problem": None,
    }
    assert expected in json.loads(listed.stdout)


@pytest.mark.backends
def test_toy_passes_the_contract_where_it_is_installed(
    environment: Path, project: Path, tmp_path: Path
) -> None:
    """With the classes that ship in the wheel; not a promise is skipped."""
    options = ("-q", "-W", "error", "-p", "no:cacheprovider")
    tested = run(
        environment / "python",
        "-m",
        "pytest",
        *options,
        project / "tests",
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    canary.watch(tmp_path / "pytest.log").write_text(tested.stdout + tested.stderr)
    assert 0 == tested.returncode, tested.stdout
    passed = re.search(r"^(\d+) passed in", tested.stdout, re.MULTILINE)
    assert passed is not None, tested.stdout
    assert 20 < int(passed[1])


@pytest.mark.backends
def test_toy_serves_a_token(
    environment: Path, tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """The installed daemon mints with a secret from the toy's store, and notices its rotation."""
    with AcmeStore() as store:
        (tmp_path / "acme-token").write_text(store.token)
        store.put("deploy", {"client_secret": server.register("deploy").reveal()})
        shown = blocks(PAGE.read_text())["toml"][1]
        there = {
            '"https://secrets.acme.example"': f'"http://127.0.0.1:{store.port}"\nallow_insecure_loopback = true',
            '"/etc/token-broker/acme-token"': f'"{tmp_path}/acme-token"',
        }
        assert all(word in shown for word in there)
        tables = shown
        for word, instead in there.items():
            tables = tables.replace(word, instead)
        tables += authorization_server("odc", server.discovery_url, server.issuer)
        tables += token("deploy", backend="acme")
        command = (environment / "python", "-I", environment / "token-broker")
        with Daemon(tmp_path, tables, command=command) as daemon:
            first = daemon.wait_for(state="fresh", revision=1)
            assert 200 == daemon.ask("/v1/tokens/deploy")[0]
            store.put("deploy", {"client_secret": server.rotate("deploy").reveal()})
            second = daemon.wait_for(state="fresh", revision=2)
            assert ("1", "2") == (first["secret_version"], second["secret_version"])
            renewed(daemon)
            assert str(environment.parent) in Path(f"/proc/{daemon.pid}/cmdline").read_text()


@pytest.mark.backends
def test_toy_is_typed_as_the_wheel_says(environment: Path, project: Path, tmp_path: Path) -> None:
    """`mypy --strict`, against the annotations that the wheel ships."""
    checked = run(
        BIN / "mypy",
        "--strict",
        "--no-incremental",
        "--python-executable",
        environment / "python",
        "acme_secrets.py",
        cwd=project,
    )
    assert 0 == checked.returncode, checked.stdout
