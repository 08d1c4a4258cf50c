"""What every secret backend promises, as a pytest class to be inherited.

Owns: the promises of `broker.ports.SecretBackend`, put to a real backend. Refuses to know: any store; the
author says how a secret gets there, in 15 to 40 lines:

    class TestAcme(SecretBackendContract):
        plugin = acme.plugin
        module = "acme"
        heavy_modules = ("acme_sdk",)
        abilities = frozenset({"versions", "network"})

        def options(self): return {"url": ..., "token_file": ...}
        def put(self, path, fields): ...
        def moved_to(self, port): return {**self.options(), "url": f"http://127.0.0.1:{port}"}
"""

# ruff: noqa: SIM300 - as in our tests, the expected value stands on the left

from __future__ import annotations

import logging
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
import pytest

from broker.api import (
    PluginContext,
    Secret,
    SecretAccessDenied,
    SecretBackend,
    SecretBackendError,
    SecretBackendPlugin,
    SecretBackendUnavailable,
    SecretNotFound,
)
from broker.testing.conditions import closed_port, silent_port, unpinned_loggers
from broker.testing.observer import RecordingObserver

Ability = Literal["versions", "deny", "count", "network"]

CANARY = "S3CR3T-contract"
PATIENCE_SECONDS = 20.0
SHORT_SECONDS = 1.0
GRACE_SECONDS = 2.0
"""How much later than its time-out a call may return: loading a library takes time as well."""

DIFFICULT_VALUES = {
    "plain": CANARY,
    "space": f" {CANARY} ",
    "newline": f"{CANARY}\n",
    "lines": f"{CANARY}\r\n\t{CANARY}\n\n",
    "quotes": f"{CANARY}\"'\\`${{x}}%s",
    "json": f'{{"client_secret": "{CANARY}"}}',
    "unicode": f"{CANARY}-äß€漢字🔑",
    "url": f"{CANARY}+/=&?#%2F",
}

F = TypeVar("F", bound=Callable[..., object])


def needs(*abilities: Ability) -> Callable[[F], F]:
    """This promise is asked of backends with these abilities only."""

    def mark(test: F) -> F:
        test.__dict__["needs"] = frozenset(abilities)
        return test

    return mark


class SecretBackendContract:
    """Inherit, fill in the attributes and the methods down to `moved_to`."""

    plugin: ClassVar[SecretBackendPlugin]
    module: ClassVar[str]
    """Where the entry point leads."""
    heavy_modules: ClassVar[tuple[str, ...]] = ()
    """What may be loaded only by a backend in use."""
    abilities: ClassVar[frozenset[Ability]] = frozenset()
    """versions: each `put` has a version of its own. deny, count, network: the methods below."""

    def options(self) -> Mapping[str, Any]:
        """The configuration table, without `type`, of a backend that may read all that `put` stores."""
        raise NotImplementedError

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        """Store these fields as the current version of the secret at this path."""
        raise NotImplementedError

    def deny(self, path: str) -> None:
        """From now on the backend's identity may not read this path."""
        raise NotImplementedError

    def reads(self, path: str) -> int:
        """How many requests for the value at this path the store has seen."""
        raise NotImplementedError

    def moved_to(self, port: int) -> Mapping[str, Any]:
        """The table again, with the store on this port of 127.0.0.1, over plain http."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in dir(cls):
            needed: frozenset[str] = getattr(getattr(cls, name), "needs", frozenset())
            if name.startswith("test_") and not needed <= cls.abilities:
                setattr(cls, name, None)  # not a skipped test, but none: nothing is missing

    def make_backend(self, options: Mapping[str, Any] | None = None) -> SecretBackend:
        """A backend as the broker would make it."""
        decoded = msgspec.convert(self.options() if options is None else options, self.plugin.options)
        assert () == self.plugin.check(decoded)
        self.observer = RecordingObserver()
        return self.plugin.create(decoded, PluginContext(name="contract", observer=self.observer))

    def stored(self, fields: Mapping[str, str] | None = None) -> str:
        """A path of its own, with something there."""
        path = f"contract/{uuid.uuid4()}"
        self.put(path, {"client_secret": CANARY} if fields is None else fields)
        return path

    def test_every_character_comes_back(self) -> None:
        """White space, newlines, quotes and any Unicode are the author's of the secret, not ours."""
        path = self.stored(DIFFICULT_VALUES)
        fields = self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS).fields
        assert DIFFICULT_VALUES == {name: secret.reveal() for name, secret in fields.items()}

    def test_missing_path_is_not_found(self) -> None:
        """The error names the path."""
        with pytest.raises(SecretNotFound, match="contract/not-there"):
            self.make_backend().read("contract/not-there", timeout_seconds=PATIENCE_SECONDS)

    @needs("versions")
    def test_missing_path_has_no_version(self) -> None:
        """Asking for the version of nothing is the same mistake."""
        with pytest.raises(SecretNotFound, match="contract/not-there"):
            self.make_backend().version("contract/not-there", timeout_seconds=PATIENCE_SECONDS)

    @needs("deny")
    def test_denied_path_is_told_apart_from_a_missing_one(self) -> None:
        """The error names the path, so that the operator finds the policy."""
        path = self.stored()
        self.deny(path)
        with pytest.raises(SecretAccessDenied, match=path):
            self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS)

    def test_read_and_version_agree(self) -> None:
        """What a read calls its version is what is called current; None for both where there are none."""
        path = self.stored()
        backend = self.make_backend()
        read = backend.read(path, timeout_seconds=PATIENCE_SECONDS).version
        assert (read, "versions" in self.abilities) == (
            backend.version(path, timeout_seconds=PATIENCE_SECONDS),
            read is not None,
        )

    @needs("versions")
    def test_version_changes_with_the_secret_and_only_then(self) -> None:
        """Polling notices a rotation, and nothing else."""
        path = self.stored()
        backend = self.make_backend()
        before = [backend.version(path, timeout_seconds=PATIENCE_SECONDS) for _ in range(2)]
        self.put(path, {"client_secret": f"{CANARY}-rotated"})
        after = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
        assert before[0] == before[1] != after.version
        assert Secret(f"{CANARY}-rotated") == after.fields["client_secret"]

    @needs("count")
    def test_read_is_one_request(self) -> None:
        """Retries are the broker's, one layer of them (R-059)."""
        path = self.stored()
        self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS)
        assert 1 == self.reads(path)

    def test_sixteen_threads_read_the_same(self) -> None:
        """A backend is shared by all managed tokens."""
        path = self.stored(DIFFICULT_VALUES)
        backend = self.make_backend()

        def read(_: int) -> dict[str, str]:
            fields = backend.read(path, timeout_seconds=PATIENCE_SECONDS).fields
            return {name: secret.reveal() for name, secret in fields.items()}

        with ThreadPoolExecutor(16) as threads:
            assert [DIFFICULT_VALUES] * 32 == list(threads.map(read, range(32)))

    @needs("network")
    def test_creation_asks_nobody(self) -> None:
        """A configuration is loaded while the store is away; the first read logs in."""
        with closed_port() as port:
            self.make_backend(self.moved_to(port)).close()

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
            backend = self.make_backend(self.moved_to(port))
            started = time.monotonic()
            with pytest.raises(SecretBackendUnavailable):
                backend.read("contract/any", timeout_seconds=SHORT_SECONDS)
            assert SHORT_SECONDS + GRACE_SECONDS > time.monotonic() - started

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

    def test_close_may_be_repeated(self) -> None:
        """Before and after use."""
        self.make_backend().close()
        backend = self.make_backend()
        backend.read(self.stored(), timeout_seconds=PATIENCE_SECONDS)
        backend.close()
        backend.close()

    def test_nothing_secret_is_logged_or_raised(self, caplog: pytest.LogCaptureFixture) -> None:
        """With the root logger at DEBUG, no record, error, event or repr has a value."""
        readable, denied = self.stored(), self.stored()
        if "deny" in self.abilities:
            self.deny(denied)
        caplog.clear()
        caplog.set_level(logging.DEBUG)
        with unpinned_loggers(), closed_port() as port:
            backend = self.make_backend()
            said = [repr(backend), *_said_by(backend, readable, denied, "contract/not-there")]
            if "network" in self.abilities:
                said += _said_by(self.make_backend(self.moved_to(port)), readable)
        said += [repr(record.__dict__) + record.getMessage() for record in caplog.records]
        said += [repr(event) for event in self.observer.events]
        assert [] == [each for each in said if CANARY in each]

    def test_unknown_option_is_rejected(self) -> None:
        """A mistyped key is an error, not ignored."""
        with pytest.raises(msgspec.ValidationError, match="no_such_option"):
            msgspec.convert({**self.options(), "no_such_option": 1}, self.plugin.options)

    def test_descriptor_loads_no_heavy_module(self) -> None:
        """Who lists plug-ins, or checks a configuration, does not wait for libraries."""
        program = f"import sys, {self.module}; print([m for m in {self.heavy_modules!r} if m in sys.modules])"
        finished = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert (0, "[]\n") == (finished.returncode, finished.stdout), finished.stderr


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
