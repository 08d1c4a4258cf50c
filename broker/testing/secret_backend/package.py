"""What a plug-in promises as a package: discretion, strict options, light modules, one import from us.

Owns: what is logged, raised and printed; the descriptor and the modules behind it. Refuses to know: stores.
"""

from __future__ import annotations

import logging
import traceback

import msgspec
import pytest

from broker.api import SecretBackend, SecretBackendError, missing_methods
from broker.testing.conditions import closed_port, unpinned_loggers
from broker.testing.packages import loaded_by, private_imports
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
        assert "[]" == loaded_by(self.module, self.heavy_modules)

    def test_broker_api_is_all_that_is_imported_from_us(self) -> None:
        """Everything else may change with any release."""
        assert set() == private_imports(self.module)


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
