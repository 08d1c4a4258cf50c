"""What a backend promises of a store that is reached over a network.

Owns: refused, silent, black-holed, overloaded, redirecting and nonsensical stores, proxies. Refuses to know: values.
"""

from __future__ import annotations

import threading

import pytest

from broker.api import Secret, SecretBackend, SecretBackendError, SecretBackendUnavailable
from broker.testing.abilities import needs
from broker.testing.conditions import answering_port, black_hole, closed_port, listening_port, silent_port
from broker.testing.secret_backend.harness import (
    CANARY,
    GRACE_SECONDS,
    PATIENCE_SECONDS,
    SHORT_SECONDS,
    SecretBackendHarness,
)

# ruff: noqa: SIM300 - as in our tests, the expected value stands on the left

PAUSE_SECONDS = 7


class NetworkPromises(SecretBackendHarness):
    """Asked of backends with the ability `network`; some of `http` only."""

    @needs("network")
    def test_creation_asks_nobody(self) -> None:
        """A configuration is loaded while the store is away; the first read logs in."""
        with listening_port() as (port, connections):
            self.make_backend(self.moved_to(port)).close()
        assert [] == connections

    @needs("network")
    def test_refused_connection_is_unavailable(self) -> None:
        """It will pass."""
        with closed_port() as port:
            backend = self.make_backend(self.moved_to(port))
            with pytest.raises(SecretBackendUnavailable):
                backend.read("contract/any", timeout_seconds=PATIENCE_SECONDS)

    @needs("network")
    def test_silent_host_is_unavailable_in_time(self) -> None:
        """A host that takes the connection and says nothing holds a call no longer than it may take."""
        with silent_port() as port:
            self._gives_up_in_time(self.make_backend(self.moved_to(port)))

    @needs("network")
    def test_host_that_takes_no_connection_is_unavailable_in_time(self) -> None:
        """A firewall that drops packets is no reason to wait longer."""
        with black_hole() as port:
            self._gives_up_in_time(self.make_backend(self.moved_to(port)))

    @needs("network")
    def test_proxies_of_the_environment_are_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What reaches the store is said in the configuration (R-005)."""
        path = self.stored()
        with closed_port() as port:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
                monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{port}")
            found = self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS)
        assert Secret(CANARY) == found.fields["client_secret"]

    @needs("network", "http")
    def test_overloaded_store_is_asked_once_and_unavailable(self) -> None:
        """429 and 503 will pass; when to try again is the broker's to decide (R-059)."""
        for status in (429, 503):
            with answering_port(status, {}) as (port, asked):
                backend = self.make_backend(self.moved_to(port))
                with pytest.raises(SecretBackendUnavailable):
                    backend.read("contract/any", timeout_seconds=PATIENCE_SECONDS)
            assert 1 == len(asked)

    @needs("network", "http", "retry_after")
    def test_pause_that_is_asked_for_is_told(self) -> None:
        """The broker keeps it, so it has to know."""
        with answering_port(429, {"Retry-After": str(PAUSE_SECONDS)}) as (port, _):
            backend = self.make_backend(self.moved_to(port))
            with pytest.raises(SecretBackendUnavailable) as caught:
                backend.read("contract/any", timeout_seconds=PATIENCE_SECONDS)
        assert PAUSE_SECONDS == caught.value.retry_after_seconds

    @needs("network", "http")
    def test_redirect_is_not_followed(self) -> None:
        """It would carry our credentials to wherever the answer says (R-004)."""
        with (
            answering_port(200, {}) as (elsewhere, carried),
            answering_port(307, {"Location": f"http://127.0.0.1:{elsewhere}/elsewhere"}) as (port, _),
        ):
            backend = self.make_backend(self.moved_to(port))
            with pytest.raises(SecretBackendError):
                backend.read("contract/any", timeout_seconds=PATIENCE_SECONDS)
        assert [] == carried

    @needs("network", "http")
    def test_nonsense_is_one_of_our_errors(self) -> None:
        """A gateway's page, an empty answer, JSON of another shape: said in our words."""
        for body in (f"<html>{CANARY}</html>".encode(), b"", b"[]", b"null", b'{"data": 1}'):
            with answering_port(200, {"Content-Type": "application/json"}, body) as (port, _):
                backend = self.make_backend(self.moved_to(port))
                with pytest.raises(SecretBackendError) as caught:
                    backend.read("contract/any", timeout_seconds=PATIENCE_SECONDS)
            assert CANARY not in str(caught.value)

    def _gives_up_in_time(self, backend: SecretBackend) -> None:
        """In a thread that is left behind: a backend that waits for ever must not hold its author's tests as well."""
        raised: list[BaseException] = []

        def read() -> None:
            try:
                backend.read("contract/any", timeout_seconds=SHORT_SECONDS)
            except BaseException as error:  # noqa: BLE001 - looked at below
                raised.append(error)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(SHORT_SECONDS + GRACE_SECONDS)
        assert not reader.is_alive(), f"still waiting after {SHORT_SECONDS + GRACE_SECONDS} s"
        assert [SecretBackendUnavailable] == [type(error) for error in raised]
