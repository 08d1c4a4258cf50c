"""What every sink promises, as a pytest class to be inherited.

Owns: the promises of `broker.ports.TokenSink`, put to a real one. Refuses to know: where tokens go; the author says
what a reader finds there, in 10 to 30 lines:

    class TestAcme(TokenSinkContract):
        plugin = acme.plugin
        module = "acme"
        abilities = frozenset({"count", "break"})

        def options(self): return {"url": ..., "name": "deploy"}
        def found(self): return ...
        def writes(self): return self.server.puts
        def break_it(self): self.server.stop()
        def mend_it(self): self.server.start()

`docs/writing-a-sink.md` has a whole one.
"""

# ruff: noqa: SIM300 - as in our tests, the expected value stands on the left

from __future__ import annotations

import logging
import string
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, ClassVar, Literal

import msgspec
import pytest

from broker.api import (
    AccessToken,
    Moment,
    PluginContext,
    Publication,
    Revision,
    Secret,
    SinkError,
    TokenSink,
    TokenSinkPlugin,
)
from broker.testing.abilities import AskedByAbility, needs
from broker.testing.conditions import unpinned_loggers
from broker.testing.observer import RecordingObserver
from broker.testing.packages import loaded_by, private_imports

Ability = Literal["count", "break"]
"""count: `writes`. break: `break_it` and `mend_it`."""

CANARY = "S3CR3T-contract"
ISSUED_AT = 1_700_000_000.0
B64TOKEN = f"{string.ascii_letters}{string.digits}-._~+/"
"""All that a bearer token may have (RFC 6750 2.1), but `=`, which comes at the end."""
LONGEST_TOKEN = 16_384
ROUNDS = 200
MOST_SECONDS = 1.0


def publication(number: int, token: str = "") -> Publication:
    """Revision `number` of the managed token `contract`; its token is one of its own, or the given one."""
    value = Secret(token or f"{CANARY}-{number}-{'x' * (number % 7 * 100)}")
    issued = Moment(wall=ISSUED_AT + number, boot=float(number))
    minted = AccessToken(value=value, expires_in=300, issued=issued, scope=("a", "b"))
    return Publication(token_name="contract", revision=Revision(number=number, token=minted, jitter=0.0))


def text(published: Publication) -> str:
    """Its access token."""
    return published.revision.token.value.reveal()


class TokenSinkContract(AskedByAbility):
    """Inherit, fill in the attributes and the methods down to `mend_it`."""

    plugin: ClassVar[TokenSinkPlugin]
    module: ClassVar[str]
    """Where the entry point leads."""
    heavy_modules: ClassVar[tuple[str, ...]] = ()
    """What may be loaded only by a sink in use."""
    abilities: ClassVar[frozenset[Ability]] = frozenset()

    def options(self) -> Mapping[str, Any]:
        """The configuration table, without `type`, of a sink whose place is the same throughout one test."""
        raise NotImplementedError

    def found(self) -> str | None:
        """The access token that a reader finds there now; None where there is nothing."""
        raise NotImplementedError

    def writes(self) -> int:
        """A number that changes with every write there: a count, a revision, a time."""
        raise NotImplementedError

    def break_it(self) -> None:
        """From now on nothing can be written there."""
        raise NotImplementedError

    def mend_it(self) -> None:
        """It can again."""
        raise NotImplementedError

    def make_sink(self) -> TokenSink:
        """A sink as the broker would make it."""
        decoded = msgspec.convert(self.options(), self.plugin.options)
        assert () == self.plugin.check(decoded)
        self.observer = RecordingObserver()
        return self.plugin.create(decoded, PluginContext(name="contract", observer=self.observer))

    def test_readers_find_what_was_published(self) -> None:
        """And then what was published after it."""
        sink = self.make_sink()
        for number in (1, 2, 3):
            sink.publish(publication(number))
            assert text(publication(number)) == self.found()

    @pytest.mark.parametrize("token", ["x" * 8, f"{B64TOKEN}==", "y" * LONGEST_TOKEN])
    def test_every_token_arrives_as_it_is(self, token: str) -> None:
        """Any character that a bearer token may have, and any length."""
        self.make_sink().publish(publication(1, token))
        assert token == self.found()

    def test_it_answers_whether_there_is_something_new(self) -> None:
        """To readers: what they find already is not, whoever put it there."""
        sink = self.make_sink()
        answers = [sink.publish(publication(number)) for number in (1, 1, 2, 2)]
        assert [True, False, True, False] == answers
        assert [False, True] == [self.make_sink().publish(publication(number)) for number in (2, 3)]

    @needs("count")
    def test_equal_content_is_not_written_again(self) -> None:
        """R-121: by a restarted broker neither; it is asked every minute whether all is as it should be."""
        sink = self.make_sink()
        sink.publish(publication(1))
        before = self.writes()
        sink.publish(publication(1))
        self.make_sink().publish(publication(1))
        assert before == self.writes()

    def test_making_one_touches_nothing(self) -> None:
        """A configuration is loaded, checked and reloaded without a trace; the first publication is the first."""
        sink = self.make_sink()
        hook = self.plugin.hook(msgspec.convert(self.options(), self.plugin.options))
        assert hook is None or callable(hook.tell)
        assert self.found() is None
        sink.close()
        assert self.found() is None

    def test_what_is_withdrawn_is_gone(self) -> None:
        """Once and for all, until the next publication; where there is nothing, that is fine."""
        sink = self.make_sink()
        sink.withdraw()
        sink.publish(publication(1))
        sink.withdraw()
        assert self.found() is None
        sink.withdraw()
        assert sink.publish(publication(1))
        assert text(publication(1)) == self.found()

    def test_another_sink_can_withdraw_it(self) -> None:
        """The broker was restarted in between."""
        self.make_sink().publish(publication(1))
        self.make_sink().withdraw()
        assert self.found() is None

    def test_close_leaves_what_was_published(self) -> None:
        """It may be repeated, and comes before use as well."""
        sink = self.make_sink()
        sink.publish(publication(1))
        sink.close()
        sink.close()
        assert text(publication(1)) == self.found()
        self.make_sink().close()

    def test_readers_never_find_less_than_a_whole_token(self) -> None:
        """R-114: while it is replaced again and again there is one, and it is one of those that were published."""
        sink = self.make_sink()
        sink.publish(publication(0))
        seen: set[str | None] = set()
        reads, over = count(), threading.Event()

        def read() -> None:
            while not over.is_set():
                seen.add(self.found())
                next(reads)

        last, deadline = 0, time.monotonic() + MOST_SECONDS
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(read)
            try:
                while last < ROUNDS and time.monotonic() < deadline:
                    last += 1
                    sink.publish(publication(last))
            finally:
                over.set()
            reading.result()
        assert 0 < next(reads)
        assert set() == seen - {text(publication(number)) for number in range(last + 1)}

    def test_calls_may_come_from_different_threads(self) -> None:
        """One after the other, but not always from the same one."""
        with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
            sink = first.submit(self.make_sink).result()
            first.submit(sink.publish, publication(1)).result()
            second.submit(sink.publish, publication(2)).result()
            assert text(publication(2)) == self.found()
            second.submit(sink.close).result()

    @needs("break")
    def test_a_failure_is_a_sink_error_and_passes(self) -> None:
        """It names the target, and the same publication succeeds when its cause is gone."""
        sink = self.make_sink()
        target = self.plugin.target(msgspec.convert(self.options(), self.plugin.options))
        self.break_it()
        with pytest.raises(SinkError) as failure:
            sink.publish(publication(1))
        assert target in failure.value.message
        assert "\n" not in failure.value.message
        self.mend_it()
        assert sink.publish(publication(1))
        assert text(publication(1)) == self.found()

    @needs("break")
    def test_a_failure_leaves_what_was_published(self) -> None:
        """R-115: the old token is better than none, and what failed is news when it succeeds."""
        sink = self.make_sink()
        sink.publish(publication(1))
        self.break_it()
        with pytest.raises(SinkError):
            sink.publish(publication(2))
        self.mend_it()
        assert text(publication(1)) == self.found()
        assert sink.publish(publication(2))

    def test_nothing_secret_is_shown(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """With the root logger at DEBUG, no record, error, event, repr or output has a token."""
        caplog.clear()
        caplog.set_level(logging.DEBUG)
        capfd.readouterr()
        with unpinned_loggers():
            sink = self.make_sink()
            sink.publish(publication(1))
            said = [repr(sink), *self._said_when_broken(sink)]
            sink.withdraw()
            sink.close()
        said += [repr(record.__dict__) + record.getMessage() for record in caplog.records]
        said += [repr(event) for event in self.observer.events]
        said += capfd.readouterr()
        assert [] == [each for each in said if CANARY in each]

    def test_the_target_is_a_word_for_people(self) -> None:
        """One line that is the same for equal options: it is in logs, and says what stays at a reload."""
        first, second = (
            self.plugin.target(msgspec.convert(self.options(), self.plugin.options)) for _ in range(2)
        )
        assert first == second
        assert first.isprintable()
        assert first.strip()

    def test_unknown_option_is_rejected(self) -> None:
        """A mistyped key is an error, not ignored."""
        with pytest.raises(msgspec.ValidationError, match="no_such_option"):
            msgspec.convert({**self.options(), "no_such_option": 1}, self.plugin.options)

    def test_descriptor_loads_no_heavy_module(self) -> None:
        """Who lists plug-ins, or checks a configuration, does not wait for libraries."""
        assert "[]" == loaded_by(self.module, self.heavy_modules)

    def test_broker_api_is_all_that_is_imported_from_us(self) -> None:
        """Everything else may change with any release, and does so together with what comes with the broker."""
        assert self.module.startswith("broker.") or private_imports(self.module) == set()

    def _said_when_broken(self, sink: TokenSink) -> list[str]:
        if "break" not in self.abilities:
            return []
        self.break_it()
        try:
            sink.publish(publication(2))
        except SinkError as error:
            return [repr(error), *traceback.format_exception(error)]
        finally:
            self.mend_it()
        return []
