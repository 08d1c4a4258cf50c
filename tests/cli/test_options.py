"""The grammar of options and operands."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.durations import spoken
from broker.cli.options import Arguments, Choice, Command, Duration, Flag, Text, UsageError, seconds

PATH = Text("--path", "PATH", "a path")
SHOW = Flag("--show", "show it")
FORMAT = Choice("--format", "FORMAT", "how", ("raw", "json"))
WAIT = Duration("--wait", "how long", default="0s")

COMMAND = Command(
    "verb",
    "do something",
    options=(PATH, SHOW, FORMAT, WAIT),
    operand="NAME",
    operand_summary="a name",
    least=1,
    most=2,
    example="token-broker verb deploy",
)


def parse(*argv: str) -> Arguments:
    """What COMMAND makes of these words."""
    arguments = COMMAND.parse(list(argv))
    assert arguments is not None
    return arguments


def test_defaults_hold_where_nothing_is_given() -> None:
    """A bare operand is a whole command line."""
    arguments = parse("deploy")
    assert (["deploy"], None, False, "raw", 0.0) == (
        arguments.operands,
        PATH.read(arguments),
        SHOW.read(arguments),
        FORMAT.read(arguments),
        WAIT.read(arguments),
    )


@pytest.mark.parametrize(
    "argv",
    [
        ("--path", "/p", "--show", "--format", "json", "--wait", "5s", "deploy"),
        ("deploy", "--wait=5", "--format=json", "--show", "--path=/p"),
        ("--path", "/other", "--path=/p", "--format=json", "--wait=5000ms", "--show", "--", "deploy"),
    ],
)
def test_options_are_taken_in_any_order_and_spelling(argv: tuple[str, ...]) -> None:
    """Before or after operands, with a space or an equals sign; the last of two holds."""
    arguments = parse(*argv)
    assert (["deploy"], "/p", True, "json", 5.0) == (
        arguments.operands,
        PATH.read(arguments),
        SHOW.read(arguments),
        FORMAT.read(arguments),
        WAIT.read(arguments),
    )


def test_two_dashes_end_the_options() -> None:
    """What follows is an operand, whatever it looks like."""
    assert ["--show", "--"] == parse("--", "--show", "--").operands


@pytest.mark.parametrize("argv", [("--help",), ("-h",), ("deploy", "--path", "x", "--help")])
def test_help_is_given_wherever_it_is_asked_for(argv: tuple[str, ...]) -> None:
    """Also where operands are missing."""
    assert COMMAND.parse(list(argv)) is None


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "NAME is missing"),
        (("a", "b", "c"), "unexpected argument 'c'"),
        (("a", "--formta=json"), "there is no option '--formta'; did you mean '--format'?"),
        (("a", "-x"), "there is no option '-x'"),
        (("a", "--form", "json"), "there is no option '--form'; did you mean '--format'?"),
        (("a", "--path"), "--path needs a PATH"),
        (("a", "--path", "--show"), "--path needs a PATH"),
        (("a", "--path="), "--path needs a PATH"),
        (("a", "--show=yes"), "--show takes no value"),
        (("a", "--format", "jsno"), "'jsno' is none of raw, json; did you mean 'json'?"),
        (("a", "--wait", "5 s"), "'5 s' is no duration"),
        (("a", "--wait", "-5"), "'-5' is no duration"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(argv: tuple[str, ...], message: str) -> None:
    """One line for each way to get it wrong."""
    with pytest.raises(UsageError) as caught:
        COMMAND.parse(list(argv))
    assert message in str(caught.value)


def test_help_names_everything_that_can_be_given() -> None:
    """Options, operand, defaults, and an example."""
    text = COMMAND.help()
    for word in (
        "usage: token-broker verb [OPTIONS] NAME",
        "--path PATH",
        "--show",
        "raw, json (default raw)",
    ):
        assert word in text
    assert "example:\n  token-broker verb deploy\n" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0s", 0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43200),
        ("30d", 2592000),
    ],
)
def test_durations_are_those_of_the_configuration(text: str, expected: float) -> None:
    """`N(ms|s|m|h|d)` or a number of seconds (docs/interface.md 7)."""
    assert expected == seconds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        ".5s",
        "5.",
        "5.s",
        "1e3",
        "5S",
        "5sm",
        "5 s",
        "+5",
        "-5",
        "٣s",
        "1_0",
        "nan",
        "inf",
        "1.2.3",
        "99999999d",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Neither guessed nor passed on."""
    with pytest.raises(ValueError, match=r"not a duration|too long"):
        seconds(text)


@given(st.integers(0, 10**8), st.sampled_from(["ms", "s", ""]))
def test_every_whole_duration_is_read_back(number: int, unit: str) -> None:
    """No rounding on the way."""
    assert number / (1000 if unit == "ms" else 1) == pytest.approx(seconds(f"{number}{unit}"))


@given(st.lists(st.text(max_size=12), max_size=6))
def test_no_command_line_does_more_than_parse_or_raise_a_usage_error(argv: list[str]) -> None:
    """Whatever a shell passes on."""
    with contextlib.suppress(UsageError):
        COMMAND.parse(argv)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (90061, "1d 01h"),
    ],
)
def test_seconds_are_spoken_in_their_two_largest_units(value: float, expected: str) -> None:
    """Rounded down: a token is never said to live longer than it does."""
    assert expected == spoken(value)
