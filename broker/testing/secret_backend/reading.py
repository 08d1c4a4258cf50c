"""What a read and a version promise, in good days and where the store says no.

Owns: values to the byte, versions, the class of each refusal, threads, closing. Refuses to know: networks.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from broker.api import (
    BatchSecretBackend,
    Secret,
    SecretAccessDenied,
    SecretBackendError,
    SecretDocument,
    SecretMalformed,
    SecretNotFound,
)
from broker.testing.abilities import needs
from broker.testing.secret_backend.harness import (
    CANARY,
    DIFFICULT_VALUES,
    PATIENCE_SECONDS,
    SecretBackendHarness,
)

# ruff: noqa: SIM300 - as in our tests, the expected value stands on the left


class ReadingPromises(SecretBackendHarness):
    """Asked of every secret backend."""

    def test_read_returns_what_the_port_says(self) -> None:
        """A document of `Secret`s, which cannot be printed by accident."""
        document = self.make_backend().read(self.stored(), timeout_seconds=PATIENCE_SECONDS)
        assert isinstance(document, SecretDocument)
        assert {Secret} == {type(value) for value in document.fields.values()}
        assert isinstance(document.whole, Secret | None)
        assert isinstance(document.version, str | None)

    def test_every_character_comes_back(self) -> None:
        """White space, newlines, quotes and any Unicode are the author's of the secret, not ours."""
        path = self.stored(DIFFICULT_VALUES)
        fields = self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS).fields
        assert DIFFICULT_VALUES == {name: secret.reveal() for name, secret in fields.items()}

    @needs("whole")
    def test_every_byte_of_a_whole_value_comes_back(self) -> None:
        """A value need not be text, and what looks like JSON stays as it was written."""
        path = self.stored()
        for value in (f"{CANARY}\0\xff\n".encode("latin-1"), f'{{ "a" : "{CANARY}"}}\n'.encode()):
            self.put_whole(path, value)
            whole = self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS).whole
            assert whole is not None
            assert value == whole.reveal_bytes()

    def test_missing_path_is_not_found(self) -> None:
        """The error names the path."""
        with pytest.raises(SecretNotFound, match="contract/not-there"):
            self.make_backend().read("contract/not-there", timeout_seconds=PATIENCE_SECONDS)

    @needs("versions", "cheap_version_check")
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

    @needs("spoil")
    def test_what_is_no_secret_is_malformed(self) -> None:
        """The error names the path; trying again changes nothing."""
        path = self.stored()
        self.spoil(path)
        with pytest.raises(SecretMalformed, match=path):
            self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS)

    def test_read_and_version_agree(self) -> None:
        """What a read calls its version is what is called current; None for both where there are none."""
        path = self.stored()
        backend = self.make_backend()
        read = backend.read(path, timeout_seconds=PATIENCE_SECONDS).version
        assert ("versions" in self.abilities) == (read is not None)
        if "cheap_version_check" in self.plugin.capabilities:
            assert read == backend.version(path, timeout_seconds=PATIENCE_SECONDS)

    @needs("versions")
    def test_version_changes_with_the_secret_and_only_then(self) -> None:
        """Polling notices a rotation, and nothing else."""
        path = self.stored()
        backend = self.make_backend()
        before = [backend.read(path, timeout_seconds=PATIENCE_SECONDS).version for _ in range(2)]
        self.put(path, {"client_secret": f"{CANARY}-rotated"})
        after = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
        assert before[0] == before[1] != after.version
        assert Secret(f"{CANARY}-rotated") == after.fields["client_secret"]

    @needs("count")
    def test_read_is_one_request(self) -> None:
        """Retries are the broker's, one layer of them (R-059)."""
        path = self.stored()
        before = self.reads(path)
        self.make_backend().read(path, timeout_seconds=PATIENCE_SECONDS)
        assert 1 == self.reads(path) - before

    @needs("count", "versions", "cheap_version_check")
    def test_cheap_version_check_reads_no_value(self) -> None:
        """Which is what makes it cheap, and keeps the secret out of a poll every minute."""
        path = self.stored()
        before = self.reads(path)
        self.make_backend().version(path, timeout_seconds=PATIENCE_SECONDS)
        assert 0 == self.reads(path) - before

    @needs("batch")
    def test_batch_gives_each_path_what_a_read_gives(self) -> None:
        """One may be left out, and is read by itself then; an error concerns its own path, and names it."""
        paths = [self.stored({"client_secret": f"{CANARY}-{number}"}) for number in range(3)]
        absent = "contract/not-there"
        backend = cast("BatchSecretBackend", self.make_backend())
        found = backend.read_many([*paths, absent], timeout_seconds=PATIENCE_SECONDS)
        assert {*paths, absent} >= found.keys()
        assert {
            path: backend.read(path, timeout_seconds=PATIENCE_SECONDS) for path in paths if path in found
        } == {path: outcome for path, outcome in found.items() if path != absent}
        missing = found.get(absent, SecretNotFound(absent))
        assert isinstance(missing, SecretNotFound)
        assert absent in missing.message

    def test_sixteen_threads_read_the_same(self) -> None:
        """A backend is shared by all managed tokens."""
        expected = {"client_id": "contract", "client_secret": CANARY}
        path = self.stored(expected)
        backend = self.make_backend()

        def read(_: int) -> dict[str, str]:
            fields = backend.read(path, timeout_seconds=PATIENCE_SECONDS).fields
            return {name: secret.reveal() for name, secret in fields.items()}

        with ThreadPoolExecutor(16) as threads:
            assert [expected] * 32 == list(threads.map(read, range(32)))

    def test_close_may_be_repeated(self) -> None:
        """Before and after use."""
        self.make_backend().close()
        backend = self.make_backend()
        backend.read(self.stored(), timeout_seconds=PATIENCE_SECONDS)
        backend.close()
        backend.close()

    def test_read_after_close_is_answered(self) -> None:
        """A reload may close a backend under a call: it reads, or fails as a store that is away does."""
        path = self.stored()
        backend = self.make_backend()
        backend.read(path, timeout_seconds=PATIENCE_SECONDS)
        backend.close()
        try:
            document = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
        except SecretBackendError:
            return
        assert Secret(CANARY) == document.fields["client_secret"]
