"""Backends over HTTP: the toy of a third party keeps every promise of the contract, each of the others breaks one.

Owns: the breaking, as little of it as possible. Not collected by itself: `test_bites` runs it and expects each class to
fail what its `breaks` names, and nothing else.
"""

# ruff: noqa: D106 - what is wrong with a backend is the name of its class

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from broker import api
from broker.testing.secret_backend_contract import SecretBackendContract
from tests.packaging.toy_backend import acme_secrets
from tests.packaging.toy_backend.tests.acme_store import AcmeStore

TOO_LONG_SECONDS = 30.0


class Acme(SecretBackendContract):
    """The contract over the toy; a subclass breaks `Backend`."""

    module = "tests.packaging.toy_backend.acme_secrets"
    abilities = frozenset({"versions", "deny", "spoil", "count", "network", "http", "retry_after"})
    Backend: ClassVar[type[Any]] = acme_secrets.AcmeBackend
    breaks: ClassVar[str] = ""
    plugin = acme_secrets.plugin

    @pytest.fixture(autouse=True)
    def _prepared(self, tmp_path: Path) -> Iterator[None]:
        self.plugin = api.SecretBackendPlugin(  # type: ignore[misc]  # this test's own
            options=acme_secrets.Options, create=self.Backend, capabilities=acme_secrets.plugin.capabilities
        )
        self.token_file = tmp_path / "token"
        with AcmeStore() as self.store:
            self.token_file.write_text(self.store.token)
            yield

    def options(self) -> Mapping[str, Any]:
        return self.moved_to(self.store.port)

    def moved_to(self, port: int) -> Mapping[str, Any]:
        place = {"url": f"http://127.0.0.1:{port}", "token_file": str(self.token_file)}
        return {**place, "allow_insecure_loopback": True}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.store.put(path, fields)

    def deny(self, path: str) -> None:
        self.store.denied.add(path)

    def spoil(self, path: str) -> None:
        self.store.put(path, "no secret")

    def reads(self, path: str) -> int:
        return self.store.asked.count(path)


class TestGood(Acme):
    breaks = ""


class TestEager(Acme):
    breaks = "test_creation_asks_nobody"

    class Backend(acme_secrets.AcmeBackend):
        def __init__(self, options: Any, context: api.PluginContext) -> None:
            super().__init__(options, context)
            address = urlsplit(options.url)
            probe = socket.socket()
            probe.settimeout(0.05)
            probe.connect_ex((address.hostname, address.port))
            probe.close()


class TestRefusalIsAbsence(Acme):
    breaks = "test_refused_connection_is_unavailable"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            try:
                return super()._get(path, timeout_seconds)
            except api.SecretBackendUnavailable as error:
                if "ConnectionRefusedError" in error.message:
                    raise api.SecretNotFound(error.message) from None
                raise


class TestPatient(Acme):
    breaks = "test_silent_host_is_unavailable_in_time"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            try:
                socket.create_connection(
                    (self._address.hostname, self._address.port), timeout_seconds
                ).close()
            except OSError:
                return super()._get(path, timeout_seconds)
            return super()._get(path, TOO_LONG_SECONDS)


class TestPatientWhenConnecting(Acme):
    breaks = "test_host_that_takes_no_connection_is_unavailable_in_time"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            with suppress(OSError):
                socket.create_connection(
                    (self._address.hostname, self._address.port), TOO_LONG_SECONDS
                ).close()
            return super()._get(path, timeout_seconds)


class TestByProxy(Acme):
    breaks = "test_proxies_of_the_environment_are_not_used"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            proxy = os.environ.get("http_proxy")
            self._address = urlsplit(proxy) if proxy else self._address
            return super()._get(path, timeout_seconds)


class TestTryingAgain(Acme):
    breaks = "test_overloaded_store_is_asked_once_and_unavailable"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            try:
                return super()._get(path, timeout_seconds)
            except api.SecretBackendUnavailable as error:
                if "status 503" in error.message:
                    return super()._get(path, timeout_seconds)
                raise


class TestDeafToPauses(Acme):
    breaks = "test_pause_that_is_asked_for_is_told"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            try:
                return super()._get(path, timeout_seconds)
            except api.SecretBackendUnavailable as error:
                raise api.SecretBackendUnavailable(error.message) from None


class TestFollowing(Acme):
    breaks = "test_redirect_is_not_followed"

    class Backend(acme_secrets.AcmeBackend):
        def _get(self, path: str, timeout_seconds: float) -> bytes:
            try:
                return super()._get(path, timeout_seconds)
            except api.SecretBackendUnavailable as error:
                if "status 307" in error.message:
                    self._follow(path, timeout_seconds)
                raise

        def _follow(self, path: str, timeout_seconds: float) -> None:
            asked = self._request(self._address.port or 0, f"/v1/secrets/{path}", timeout_seconds)
            there = urlsplit(asked.headers["Location"])
            self._request(there.port or 0, there.path, timeout_seconds)

        def _request(self, port: int, path: str, timeout_seconds: float) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                return response
            finally:
                connection.close()


class TestTrusting(Acme):
    breaks = "test_nonsense_is_one_of_our_errors"

    class Backend(acme_secrets.AcmeBackend):
        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            try:
                return super().read(path, timeout_seconds=timeout_seconds)
            except api.SecretMalformed:
                if path == "contract/any":
                    raise KeyError("data") from None
                raise
