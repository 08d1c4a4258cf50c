"""The table of `status`."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.life_table import Style, life_table, style_for

PLAIN = Style(colour=False, unicode=True)
ASCII = Style(colour=False, unicode=False)
NOW = 1_000_000.0


def record(**members: object) -> dict[str, object]:
    """A fresh token's record, changed as told."""
    return {
        "name": "deploy",
        "state": "fresh",
        "condition": "ok",
        "reason": "renewal due in 5 min",
        "revision": 7,
        "issued_at": int(NOW) - 450,
        "expires_at": int(NOW) + 1350,
        "next_renewal_at": int(NOW) + 450,
        "secret_version": "3",
        "last_error": None,
    } | members


def test_a_fresh_token_is_one_line_with_its_life_as_a_bar() -> None:
    """Three quarters of the life left are three quarters of the bar."""
    assert (
        "NAME    STATE  CONDITION  REMAINING             NEXT RENEWAL  SECRET VERSION  LAST ERROR\n"
        "deploy  fresh  ok         █████████░░░ 22m 30s  in 7m 30s     3               -\n"
    ) == life_table([record()], now=NOW, style=PLAIN)


def test_what_is_wrong_stands_below_its_row() -> None:
    """The reason is what an operator acts on."""
    stale = record(
        state="stale", condition="credential_rejected", reason="invalid_client", last_error="credential"
    )
    lines = life_table([record(name="a"), stale], now=NOW, style=PLAIN).splitlines()
    assert 4 == len(lines)
    assert "  └ invalid_client" == lines[3]
    assert lines[2].endswith("credential")


def test_a_token_that_was_never_minted_has_no_bar() -> None:
    """Absent, with the reason."""
    absent = record(
        state="absent",
        condition="unreachable",
        reason="no route",
        issued_at=None,
        expires_at=None,
        next_renewal_at=None,
        secret_version=None,
        last_error="transient",
    )
    row = life_table([absent], now=NOW, style=PLAIN).splitlines()[1]
    assert ["deploy", "absent", "unreachable", "-", "-", "-", "transient"] == row.split()


@pytest.mark.parametrize(
    ("expires_at", "expected"),
    [
        (int(NOW), "[............] 0s"),
        (int(NOW) - 10, "[............] 0s"),
        (int(NOW) + 450, "[######......] 7m 30s"),
    ],
)
def test_bars_are_ascii_where_blocks_cannot_be_shown(expires_at: int, expected: str) -> None:
    """In a C locale, in a log file; an expired token has an empty one."""
    table = life_table([record(expires_at=expires_at)], now=NOW, style=ASCII)
    assert expected in table
    assert table.isascii()


def test_an_overdue_renewal_is_due_not_negative() -> None:
    """It is being tried, or waits for a pause to end."""
    assert "  due  " in life_table([record(next_renewal_at=int(NOW) - 3)], now=NOW, style=PLAIN)


def test_a_long_secret_version_leaves_room_for_the_rest() -> None:
    """Secrets Manager's are UUIDs; `--json` has the whole."""
    table = life_table([record(secret_version="4c1e6a7f-0f4e-4f0c-9a3a-ffffffffffff")], now=NOW, style=PLAIN)
    assert "  4c1e6a7f-0f4..  " in table


def test_nothing_to_show_is_said() -> None:
    """An empty table would look like a fault."""
    assert "no tokens that this user may read\n" == life_table([], now=NOW, style=PLAIN)


def test_columns_stay_in_line_with_colours() -> None:
    """Escape sequences take no room on a terminal."""
    records = [record(), record(name="a", state="expired", condition="throttled", reason="429")]
    coloured = life_table(records, now=NOW, style=Style(colour=True, unicode=True))
    assert "\x1b[32mfresh" in coloured
    assert "\x1b[31mexpired" in coloured
    for code in ("\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m"):
        coloured = coloured.replace(code, "")
    assert coloured == life_table(records, now=NOW, style=PLAIN)


@given(
    st.dictionaries(
        st.sampled_from(sorted(record())),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    ),
    st.sampled_from([PLAIN, ASCII]),
)
def test_nothing_in_a_record_can_steer_the_terminal(members: dict[str, object], style: Style) -> None:
    """Reasons quote what authorization servers and file systems say."""
    table = life_table([record(**members)], now=NOW, style=style)
    assert "".join(table.splitlines()).isprintable()
    assert 2 <= len(table.splitlines()) <= 3


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({}, "utf-8", (True, True)),
        ({"NO_COLOR": "1"}, "UTF-8", (False, True)),
        ({"NO_COLOR": ""}, "utf8", (True, True)),
        ({"TERM": "dumb"}, "ascii", (False, False)),
    ],
)
def test_a_terminal_gets_colours_unless_it_asks_for_none(
    environment: dict[str, str], encoding: str, expected: tuple[bool, bool]
) -> None:
    """NO_COLOR counts when it is not empty."""
    style = style_for(Terminal(io.BytesIO(), encoding=encoding), environment)
    assert expected == (style.colour, style.unicode)


def test_a_pipe_gets_no_colours() -> None:
    """What is parsed or stored should be text."""
    assert not style_for(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {}).colour
