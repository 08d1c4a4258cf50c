"""The contract bites: a backend that breaks one promise fails that promise's test, and no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from broker.testing.secret_backend_contract import SecretBackendContract

HERE: Final = Path(__file__).parent
REPOSITORY: Final = Path(__file__).parents[3]

CLASS: Final = re.compile(r"^class (Test\w+)\(\w+\):\n    breaks = \"(\w*)\"$", re.MULTILINE)
BREAKING: Final = {
    module: dict(CLASS.findall((HERE / f"{module}.py").read_text())) for module in ("memory", "network")
}


def failures(module: str) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Answer, by class, the tests that fail, and how many pass."""
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", HERE / f"{module}.py"),
            # Without the suite's own search for secrets, which would fail what shows one.
            *("--noconftest", "-p", "no:cacheprovider", "-n", "2", "-v", "-o", "addopts="),
            *("-p", "no:looptime_plugin", "--import-mode=importlib"),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(HERE / "modules")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    failed: dict[str, set[str]] = defaultdict(set)
    passed: dict[str, int] = defaultdict(int)
    for outcome, name, test in re.findall(
        r"(PASSED|FAILED|ERROR) \S+::(Test\w+)::(test_\w+) *$", finished.stdout, re.MULTILINE
    ):
        if outcome == "PASSED":
            passed[name] += 1
        else:
            failed[name].add(test)
    assert passed, finished.stdout + finished.stderr
    return failed, passed


@pytest.mark.backends
@pytest.mark.parametrize("module", BREAKING)
def test_broken_promise_fails_its_test_and_no_other(module: str) -> None:
    """And the backend that keeps them all fails none."""
    failed, passed = failures(module)
    expected = {name: {test} if test else set() for name, test in BREAKING[module].items()}
    assert expected == {name: failed[name] for name in expected}
    asked = {name: passed[name] + len(failed[name]) for name in expected}
    assert {asked["TestGood"]} == set(asked.values())


def test_every_promise_is_broken_once() -> None:
    """A promise that no backend here breaks could be one that never bites."""
    promises = {name for name in dir(SecretBackendContract) if name.startswith("test_")}
    broken = {test for tests in BREAKING.values() for test in tests.values() if test}
    assert promises == broken
