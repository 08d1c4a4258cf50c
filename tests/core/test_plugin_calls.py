"""What a plug-in may get wrong is told with the plug-in, the method and what was expected, never with a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.core.plugin_calls import PluginCalls
from broker.errors import SecretBackendError, SecretBackendUnavailable, SecretBackendUnusable, SecretNotFound
from broker.model import Secret, SecretDocument
from tests.canary import assert_silent

CALLS = PluginCalls(backend="corp", plugin="acme")
WHO = "secret backend corp: plug-in 'acme' "
GOOD = SecretDocument(fields={"client_secret": Secret("S3CR3T-good")}, version="1")


class Backend:
    """Has `read` and `close`, no `version`."""

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        return GOOD

    def close(self) -> None: ...


def said(call: Callable[[], object], kind: type[SecretBackendError]) -> str:
    """Answer what comes after the plug-in's name."""
    with pytest.raises(kind) as caught:
        call()
    assert_silent(caught.value)
    assert caught.value.message.startswith(WHO)
    return caught.value.message.removeprefix(WHO)


def document(**parts: Any) -> SecretDocument:
    """Answer a document with these parts, whatever they are."""
    return replace(GOOD, **parts)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("S3CR3T-text", "returned str from read(), which promises a broker.api.SecretDocument"),
        (None, "returned NoneType from read(), which promises a broker.api.SecretDocument"),
        (document(fields=["S3CR3T-1"]), "a mapping of names to broker.api.Secret as `fields`"),
        (
            document(fields={"x": "S3CR3T-1"}),
            "returned str from read(), which promises a broker.api.Secret under each",
        ),
        (document(fields={b"x": Secret("S3CR3T-1")}), "a broker.api.Secret under each name in `fields`"),
        (
            document(whole=b"S3CR3T-1"),
            "returned bytes from read(), which promises a broker.api.Secret or",
        ),
        (document(version=3), "returned int from read(), which promises a str or None as `version`"),
    ],
)
def test_read_that_returns_another_type_is_explained(answer: Any, words: str) -> None:
    """The value is not shown, its type is."""
    message = said(lambda: CALLS.document(lambda: answer), SecretBackendUnavailable)
    assert words in message
    assert message.endswith(": report it to its author")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (["S3CR3T-1"], "returned list from read_many(), which promises a mapping of paths to outcomes"),
        ({"a": "S3CR3T-1"}, "returned str from read_many(), which promises a broker.api.SecretDocument"),
        ({"S3CR3T-1": GOOD}, "returned a path from read_many() that it was not asked for"),
        ({"a": document(fields={"x": "S3CR3T-1"})}, "a broker.api.Secret under each name in `fields`"),
    ],
)
def test_batch_that_returns_another_shape_is_explained(answer: Any, words: str) -> None:
    """As for one document; an outcome may be an error."""
    assert words in said(lambda: CALLS.documents(lambda: answer, ("a", "b")), SecretBackendUnavailable)
    outcomes = {"a": GOOD, "b": SecretNotFound("b")}
    assert outcomes == CALLS.documents(lambda: outcomes, ("a", "b"))


def test_version_that_returns_another_type_is_explained() -> None:
    """A number is not compared with text."""
    message = said(lambda: CALLS.version(lambda: 7), SecretBackendUnavailable)
    assert "returned int from version(), which promises a str or None: report it to its author" == message


@pytest.mark.parametrize(
    "error", [KeyError("S3CR3T-1"), SystemExit(1), TimeoutError(), StopIteration(), SecretDocument]
)
def test_exception_is_told_by_its_type(error: Any) -> None:
    """Its text may quote a value; one that would end a thread or a program does not."""

    def call() -> object:
        raise error

    kind = "TypeError" if error is SecretDocument else type(error).__name__
    assert f"raised {kind} in read(): report it to its author" == said(
        lambda: CALLS.document(call), SecretBackendUnavailable
    )


class OddMapping(dict[str, Secret]):
    """A mapping with a mistake of its own."""

    def items(self) -> Any:
        raise RuntimeError("S3CR3T-1")


def test_answer_that_cannot_even_be_looked_at_is_explained() -> None:
    """What is done with it is still the plug-in's code."""
    odd = document(fields=OddMapping())
    for call in (lambda: CALLS.document(lambda: odd), lambda: CALLS.documents(lambda: {"x": odd}, ["x"])):
        assert "raised RuntimeError in read" in said(call, SecretBackendUnavailable)


def test_errors_of_the_api_pass() -> None:
    """They are the plug-in's own words."""

    def call() -> object:
        raise SecretNotFound("nothing there")

    with pytest.raises(SecretNotFound, match="nothing there"):
        CALLS.document(call)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ModuleNotFoundError("S3CR3T-1", name="acme_sdk.http"),
            "needs the library 'acme_sdk', which is not installed: install it where token-broker is",
        ),
        (
            ImportError("S3CR3T-1", name="acme_sdk"),
            "cannot use the library 'acme_sdk' as installed: install the version that it needs",
        ),
        (
            ImportError("S3CR3T-1"),
            "cannot import a library that it needs: install it again, with its dependencies",
        ),
    ],
)
def test_missing_library_is_named(error: ImportError, words: str) -> None:
    """Libraries are loaded in `create` or later, so a descriptor that loads proves nothing."""

    def call() -> object:
        raise error

    for attempt in (lambda: CALLS.build(call, frozenset()), lambda: CALLS.document(call)):
        assert words == said(attempt, SecretBackendUnusable)


def test_declared_capability_without_its_method_is_found_when_built() -> None:
    """Before the method is missed."""
    message = said(lambda: CALLS.build(Backend, frozenset({"cheap_version_check"})), SecretBackendUnusable)
    assert "made a Backend without version(): report it to its author" == message


def test_method_that_is_not_declared_is_not_missed() -> None:
    """Capabilities are declared, never probed."""
    assert isinstance(CALLS.build(Backend, frozenset({"versions"})), Backend)


def test_what_is_no_backend_at_all_is_found_when_built() -> None:
    """A `create` without `return`, for instance."""
    message = said(lambda: CALLS.build(lambda: None, frozenset()), SecretBackendUnusable)
    assert "made a NoneType without read() and close(): report it to its author" == message
