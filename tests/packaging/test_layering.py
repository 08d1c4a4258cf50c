"""The import contracts hold, and each of them bites: a planted violation breaks exactly its contract."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.project import BIN, ROOT, run, settings

NAMES = {contract["id"]: contract["name"] for contract in settings()["tool"]["importlinter"]["contracts"]}

PLANTS = [
    pytest.param("layers", "broker/errors.py", "import broker.model", id="upwards"),
    pytest.param("layers", "broker/oauth/metadata.py", "import broker.core", id="from-pure-to-service"),
    pytest.param("layers", "broker/sinks/file.py", "import broker.config", id="sideways"),
    pytest.param("layers", "broker/helpers.py", "", id="room-without-a-place"),
    pytest.param("client", "broker/client/__init__.py", "import broker.errors", id="client-knows-the-daemon"),
    pytest.param("testing", "broker/core/minter.py", "import broker.testing", id="testing-in-production"),
    pytest.param("plugins", "backends/file/backend.py", "import broker.errors", id="backend-past-the-api"),
    pytest.param(
        "backends-apart", "backends/file/backend.py", "import backends.vault", id="backend-to-backend"
    ),
    pytest.param("entry-points-only", "broker/sinks/file.py", "import backends.file", id="broker-to-backend"),
    pytest.param("entry-points-only", "broker/plugins.py", "import boto3", id="broker-to-boto3"),
    pytest.param("pure", "broker/policy/renewal.py", "import time", id="policy-with-a-clock"),
    pytest.param("pure", "broker/model.py", "from logging import getLogger", id="model-that-logs"),
    pytest.param("tenacity", "broker/core/minter.py", "import tenacity", id="second-retry-loop"),
    pytest.param("httpx2", "broker/sinks/file.py", "from httpx2 import Client", id="second-transport"),
    pytest.param("prometheus", "broker/core/store.py", "import prometheus_client", id="second-metrics"),
    pytest.param("httptools", "backends/vault/__init__.py", "import httptools", id="second-parser"),
    pytest.param("joserfc", "broker/core/cache/keeper.py", "from joserfc import jwe", id="second-sealer"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages and their contracts, free to be broken."""
    for package in ("broker", "backends"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(tree: Path) -> set[str]:
    """Answer the ids of the contracts that lint-imports calls broken in ``tree``."""
    result = run(BIN / "lint-imports", "--no-cache", "--no-logo", cwd=tree)
    verdicts = {
        identifier: re.search(rf"^{re.escape(name)} (KEPT|BROKEN)", result.stdout, re.MULTILINE)
        for identifier, name in NAMES.items()
    }
    unjudged = sorted(identifier for identifier, verdict in verdicts.items() if verdict is None)
    assert [] == unjudged, result.stdout + result.stderr
    broken = {identifier for identifier, verdict in verdicts.items() if verdict and verdict[1] == "BROKEN"}
    assert (result.returncode != 0) == bool(broken), result.stdout + result.stderr
    return broken


def test_tree_keeps_every_contract(tree: Path) -> None:
    """As committed, nobody imports what the architecture forbids."""
    assert set() == broken_contracts(tree)


@pytest.mark.parametrize(("contract", "module", "line"), PLANTS)
def test_violation_breaks_its_contract_alone(tree: Path, contract: str, module: str, line: str) -> None:
    """One forbidden import, or one room that the architecture does not know, breaks one contract."""
    planted = tree / module
    planted.write_text((planted.read_text() if planted.exists() else "") + f"\n{line}\n")
    assert {contract} == broken_contracts(tree)


def test_every_contract_is_broken_once() -> None:
    """A contract without a planted violation could be one that never bites."""
    assert set(NAMES) == {plant.values[0] for plant in PLANTS}
