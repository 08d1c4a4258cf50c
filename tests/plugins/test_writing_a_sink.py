"""docs/writing-a-sink.md: its sink keeps the contract, and a daemon publishes with it, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.packaging.project import ROOT
from tests.plugins.site import distribution
from tests.waiting import eventually

TEXT = (ROOT / "docs" / "writing-a-sink.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
MODULE, TEST = (text for language, text in BLOCKS if language == "python")
ENTRY_POINT = next(text for language, text in BLOCKS if language == "toml")

ACME_STORE = '''
"""A store of values in files, written as a whole."""

from pathlib import Path


class Store:
    def __init__(self, directory):
        self._directory = Path(directory)

    def get(self, name):
        path = self._directory / name
        return path.read_text() if path.exists() else None

    def put(self, name, value):
        new = self._directory / f"{name}.new"
        new.write_text(value)
        new.replace(self._directory / name)

    def delete(self, name):
        (self._directory / name).unlink(missing_ok=True)
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH with the page's module installed."""
    found = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', ENTRY_POINT)
    assert found is not None
    lines = {found[1]: [found[2].replace('"', "")]}
    return distribution(tmp_path / "site", "acme-sink", lines, acme_sink=MODULE, acme_store=ACME_STORE)


@pytest.mark.publishing
def test_the_sink_of_the_page_keeps_the_contract(tmp_path: Path, site: Path) -> None:
    """With the test class of the page, in an interpreter that knows nothing of our suite."""
    (tmp_path / "test_acme.py").write_text(TEST)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:looptime_plugin",
            "-p",
            "no:cacheprovider",
            "test_acme.py",
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None
    assert 15 < int(found[1])


def test_a_daemon_publishes_with_the_sink_of_the_page(tmp_path: Path, site: Path) -> None:
    """The token is where the store keeps its values, and a renewed one follows."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-") as server:
        store(tmp_path, server.register("deploy").reveal())
        (tmp_path / "acme").mkdir()
        sink = (
            f'\n[[tokens.deploy.sinks]]\ntype = "acme"\ndirectory = "{tmp_path}/acme"\nparameter = "deploy"\n'
        )
        tables = local_tables(server, tmp_path) + sink
        with Daemon(tmp_path, tables, extra={"PYTHONPATH": str(site)}) as daemon:
            daemon.wait_for(state="fresh", condition="ok")
            parameter = tmp_path / "acme" / "deploy"
            eventually(parameter.exists, what="the parameter")
            assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
            current = daemon.ask("/v1/tokens/deploy", Accept="text/plain")[1]
            eventually(lambda: current == parameter.read_text(), what="the renewed token there")
