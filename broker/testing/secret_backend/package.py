"""What a plug-in promises as a package: discretion, strict options, light modules, one import from us.

Owns: what is logged, raised and printed; the descriptor and the modules behind it. Refuses to know: stores.
"""

from __future__ import annotations

import ast
import importlib.util
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from broker.api import SecretBackend, SecretBackendError, missing_methods
from broker.testing.conditions import closed_port, unpinned_loggers
from broker.testing.secret_backend.harness import CANARY, PATIENCE_SECONDS, SecretBackendHarness

# ruff: noqa: SIM300 - as in our tests, the expected value stands on the left


class PackagePromises(SecretBackendHarness):
    """Asked of every plug-in."""

    def test_nothing_secret_is_shown(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """With the root logger at DEBUG, no record, error, event, repr or output has a value."""
        readable, denied = self.stored(), self.stored()
        if "deny" in self.abilities:
            self.deny(denied)
        caplog.clear()
        caplog.set_level(logging.DEBUG)
        capfd.readouterr()
        with unpinned_loggers(), closed_port() as port:
            backend = self.make_backend()
            said = [repr(backend), *_said_by(backend, readable, denied, "contract/not-there")]
            said += [repr(event) for event in self.observer.events]
            if "network" in self.abilities:
                said += _said_by(self.make_backend(self.moved_to(port)), readable)
        said += [repr(record.__dict__) + record.getMessage() for record in caplog.records]
        said += [repr(event) for event in self.observer.events]
        said += capfd.readouterr()
        assert [] == [each for each in said if CANARY in each]

    def test_unknown_option_is_rejected(self) -> None:
        """A mistyped key is an error, not ignored."""
        with pytest.raises(msgspec.ValidationError, match="no_such_option"):
            msgspec.convert({**self.options(), "no_such_option": 1}, self.plugin.options)

    def test_capabilities_are_true(self) -> None:
        """They are declared and never probed, so whoever declares one has it."""
        assert "" == missing_methods(self.make_backend(), self.plugin.capabilities)
        if "versions" in self.abilities or "cheap_version_check" in self.plugin.capabilities:
            assert "versions" in self.plugin.capabilities

    def test_descriptor_loads_no_heavy_module(self) -> None:
        """Who lists plug-ins, or checks a configuration, does not wait for libraries."""
        program = f"import sys, {self.module}; print([m for m in {self.heavy_modules!r} if m in sys.modules])"
        finished = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert (0, "[]\n") == (finished.returncode, finished.stdout), finished.stderr

    def test_broker_api_is_all_that_is_imported_from_us(self) -> None:
        """Everything else may change with any release."""
        imported = {name for path in _sources(self.module) for name in _imports(path)}
        assert set() == {
            name for name in imported if name.partition(".")[0] == "broker" and name != "broker.api"
        }


def _said_by(backend: SecretBackend, *paths: str) -> list[str]:
    """Answer all that printing what comes of these reads could show."""
    said: list[str] = []
    for path in paths:
        try:
            document = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
            said += [repr(document), str(document)]
        except SecretBackendError as error:
            said += [repr(error), *traceback.format_exception(error)]
    return said


def _sources(module: str) -> list[Path]:
    """Answer the module's source, or all of a package's."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    places = spec.submodule_search_locations
    if places is not None:
        return [path for place in places for path in Path(place).rglob("*.py")]
    return [Path(spec.origin)] if spec.origin else []


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str() as module, level=0):
                yield from (
                    (f"broker.{alias.name}" for alias in node.names) if module == "broker" else (module,)
                )
