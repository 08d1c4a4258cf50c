"""A sink of a third party keeps the contract, and each way of breaking it is found out by a promise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from broker.api import Publication, SinkError, TokenSink
from broker.testing.token_sink_contract import TokenSinkContract
from tests.contract.sink import toy


class TestToySink(TokenSinkContract):
    plugin = toy.plugin
    module = "tests.contract.sink.toy"
    heavy_modules = ("asyncio",)
    abilities = frozenset({"count", "break"})

    def setup_method(self) -> None:
        self.store = toy.STORES["contract"] = toy.Store()

    def options(self) -> Mapping[str, Any]:
        return {"store": "contract", "name": "deploy"}

    def found(self) -> str | None:
        return self.store.values.get("deploy")

    def writes(self) -> int:
        return self.store.writes

    def break_it(self) -> None:
        self.store.full = True

    def mend_it(self) -> None:
        self.store.full = False


class Newline(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        new = super().publish(publication)
        self.store.values[self.options.name] += "\n"
        return new


class Rewriting(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        token = publication.revision.token.value.reveal()
        new = self.store.values.get(self.options.name) != token
        self.store.put(self.options.name, token)
        return new


class Silent(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        super().publish(publication)
        return False


class Eager(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        super().publish(publication)
        return True


class Torn(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        token = publication.revision.token.value.reveal()
        for end in range(0, len(token), 10):
            self.store.values[self.options.name] = token[:end]
            threading.Event().wait(0.001)
        self.store.values.pop(self.options.name, None)
        return super().publish(publication)


class Early(toy.ToySink):
    def __init__(self, options: toy.ToyOptions) -> None:
        super().__init__(options)
        self.store.values.setdefault(options.name, "")


class Impatient(toy.ToySink):
    def withdraw(self) -> None:
        del self.store.values[self.options.name]


class Keeping(toy.ToySink):
    def withdraw(self) -> None:
        return


class Tidy(toy.ToySink):
    def close(self) -> None:
        super().withdraw()


class Raw(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        self.store.put(self.options.name, publication.revision.token.value.reveal())
        return True


class Nameless(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        try:
            return super().publish(publication)
        except SinkError:
            raise SinkError("something went wrong") from None


class Destructive(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        if self.store.full:
            super().withdraw()
        return super().publish(publication)


class Talkative(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        logging.getLogger("toy").debug("putting %s", publication.revision.token.value.reveal())
        return super().publish(publication)


class Quoting(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        try:
            return super().publish(publication)
        except SinkError as error:
            raise SinkError(f"{error.message} for {publication.revision.token.value.reveal()}") from None


class Printing(toy.ToySink):
    def publish(self, publication: Publication) -> bool:
        self.last = publication.revision.token.value.reveal()
        return super().publish(publication)

    def __repr__(self) -> str:
        return f"Printing(last={self.last})"


BROKEN = [
    (Newline, "test_readers_find_what_was_published"),
    (Rewriting, "test_equal_content_is_not_written_again"),
    (Silent, "test_it_answers_whether_there_is_something_new"),
    (Eager, "test_it_answers_whether_there_is_something_new"),
    (Torn, "test_readers_never_find_less_than_a_whole_token"),
    (Early, "test_making_one_touches_nothing"),
    (Impatient, "test_what_is_withdrawn_is_gone"),
    (Keeping, "test_another_sink_can_withdraw_it"),
    (Tidy, "test_close_leaves_what_was_published"),
    (Raw, "test_a_failure_is_a_sink_error_and_passes"),
    (Nameless, "test_a_failure_is_a_sink_error_and_passes"),
    (Destructive, "test_a_failure_leaves_what_was_published"),
    (Talkative, "test_nothing_secret_is_shown"),
    (Quoting, "test_nothing_secret_is_shown"),
    (Printing, "test_nothing_secret_is_shown"),
]


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[dict[str, Any]]:
    """What a promise about discretion asks for."""
    yield {"caplog": caplog, "capfd": capfd}
    caplog.clear()


@pytest.mark.canary_expected
@pytest.mark.parametrize(("broken", "promise"), BROKEN, ids=lambda each: getattr(each, "__name__", each))
def test_a_broken_sink_is_found_out(broken: type[toy.ToySink], promise: str, shown: dict[str, Any]) -> None:
    """By the promise that it breaks."""

    def create(options: toy.ToyOptions, context: object) -> TokenSink:
        return broken(options)

    class Put(TestToySink):
        plugin = replace(toy.plugin, create=create)

    contract = Put()
    contract.setup_method()
    with pytest.raises((AssertionError, OSError, KeyError, pytest.fail.Exception)):
        getattr(contract, promise)(**(shown if promise == "test_nothing_secret_is_shown" else {}))


def test_a_promise_that_cannot_be_shown_is_not_asked() -> None:
    """And is asked again of a class that can."""

    class Less(TestToySink):
        abilities = frozenset({"count"})

    class More(Less):
        abilities = frozenset({"count", "break"})

    asked = [each.test_a_failure_leaves_what_was_published is not None for each in (Less, More)]
    assert [False, True] == asked
