"""The story that `dev` tells."""

from __future__ import annotations

import io
import json

import pytest

from broker.dev.narrator import Narrator, parse


def story(*records: dict[str, object]) -> list[str]:
    """What is told of these records, without the clock."""
    out = io.StringIO()
    narrator = Narrator(
        out,
        elapsed_seconds=lambda: 7.4,
        wall_seconds=lambda: 1015.0,
        shown=lambda path: f"shown {path}",
        colour=False,
    )
    for record in records:
        narrator.hear(record)
    assert all(line.startswith("    7 s  ") for line in out.getvalue().splitlines())
    return [line.removeprefix("    7 s  ") for line in out.getvalue().splitlines()]


def minted(revision: int, issued_at: float) -> dict[str, object]:
    """The record of a mint of a token that lives 30 s and is served for 27."""
    return {
        "event": "mint_succeeded",
        "level": "info",
        "revision": revision,
        "issued_at": issued_at,
        "expires_at": issued_at + 27,
        "expires_in": 30,
    }


REFUSED: dict[str, object] = {"event": "mint_failed", "level": "warning", "message": "401: store another"}


def test_a_renewal_says_how_early_it_was() -> None:
    """The point of the whole: the predecessor was still valid."""
    assert [
        "minted     revision 1, an access token that lives 30 s",
        "renewed    revision 2; its predecessor had 12 s left",
    ] == story(minted(1, 1000.0), minted(2, 1015.0))


def test_a_refusal_says_what_holds_and_its_end_is_told() -> None:
    """A failed renewal withdraws nothing."""
    assert [
        "minted     revision 1, an access token that lives 30 s",
        "refused    401",
        "kept       revision 1 stays published, and valid for another 12 s",
        "recovered  revision 2, minted with the new secret",
        "renewed    revision 3; its predecessor had 12 s left",
    ] == story(minted(1, 1000.0), REFUSED, minted(2, 1020.0), minted(3, 1035.0))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"event": "published", "level": "info", "outcome": "success", "target": "/f"},
            ["published  shown /f"],
        ),
        ({"event": "secret_rotated", "level": "info"}, ["noticed    the broker sees that there is another"]),
        ({"event": "state_changed", "level": "warning", "state": "stale", "message": "x"}, []),
        ({"event": "state_changed", "level": "error", "state": "expired", "message": "x"}, ["error      x"]),
        ({"event": "backend_login", "level": "info", "message": "x"}, []),
        ({"event": "published", "level": "warning", "outcome": "failure", "message": "x"}, ["warning    x"]),
        ({"event": "life_cycle", "level": "info", "message": "x"}, []),
        ({}, ["None       None"]),
    ],
)
def test_the_rest_is_told_only_where_it_matters(record: dict[str, object], expected: list[str]) -> None:
    """Warnings always; the rest would bury the story."""
    assert expected == [line[: len(want)] for line, want in zip(story(record), expected, strict=True)]


def test_a_line_that_is_no_record_is_passed_on_as_it_is() -> None:
    """A configuration fault, or whatever an interpreter says when it cannot start."""
    assert "tokens.dev: required" == parse(b"tokens.dev: required\n")
    assert "[1]" == parse(b"[1]\n")
    assert {"event": "x"} == parse(json.dumps({"event": "x"}).encode())
