"""The checker alone, on histories written by hand: what it accepts, and what each invariant refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.checker import check
from tests.simulation.history import Record

LIFE = 1000
FIRST, SECOND = "S3CR3T-1", "S3CR3T-2"
WALL = 1_000_000.0


def at(boot: float, kind: str, **members: Any) -> Record:
    """One record; loop and wall go with the boot clock."""
    return {"kind": kind, "loop": boot, "boot": boot, "wall": WALL + boot, **members}


def ask(boot: float, number: int, *, token: str = "t", secret: str = FIRST, server: str = "as") -> Record:
    """A request goes out."""
    return at(boot, "ask", id=number, token=token, server=server, secret=secret)


def answer(boot: float, number: int, outcome: str, *, token: str = "t", **members: Any) -> Record:
    """Its answer."""
    return at(boot, "answer", id=number, token=token, server="as", outcome=outcome, secret=FIRST, **members)


def mint(
    boot: float, number: int, *, life: int = LIFE, token: str = "t", secret: str = FIRST
) -> list[Record]:
    """A request and its token, named `token-NUMBER`."""
    value = {"value": f"token-{number}", "expires_in": life}
    return [
        ask(boot, number, token=token, secret=secret),
        answer(boot + 0.05, number, "token", token=token, **value),
    ]


def fails(boot: float, number: int, outcome: str = "failed", *, secret: str = FIRST) -> list[Record]:
    """A request and its failure."""
    return [ask(boot, number, secret=secret), answer(boot + 0.05, number, outcome)]


def again(boot: float, number: int, *, life: int) -> list[Record]:
    """A request that is answered with the first token, and what is left of it."""
    return [ask(boot, number), answer(boot + 0.05, number, "token", value="token-1", expires_in=life)]


def forgets_and_is_given_the_same_again() -> list[Record]:
    """F-51, F-60: a process whose cache was spoilt is given the token of the one before, rounded down by 2 s."""
    return [*fault(50, 5000, "caching"), stop(200), start(200.5, adopts=None), *again(201, 2, life=798)]


def socket(boot: float, value: str | None, *, state: str = "fresh", expires_in: float = 0.0) -> Record:
    """What a reader of the socket finds."""
    return at(boot, "read", token="t", where="socket", value=value, state=state, expires_in=expires_in)


def file(boot: float, value: str | None) -> Record:
    """What a reader of the file finds."""
    return at(boot, "read", token="t", where="file", value=value)


def fault(begin: float, end: float, nature: str = "network") -> tuple[Record, Record]:
    """Something is wrong from begin to end."""
    members = {"id": begin, "what": "F", "nature": nature, "tokens": ("t",)}
    return at(begin, "fault", phase="begin", **members), at(end, "fault", phase="end", **members)


def start(boot: float, *, adopts: bool | None = False) -> Record:
    """A process begins."""
    return at(boot, "start", adopts=adopts)


def stop(boot: float, *, seconds: float = 0.1) -> Record:
    """A process ends."""
    return at(boot, "stop", how="stopped", seconds=seconds)


def told(text: str, level: str = "info") -> Record:
    """A log line."""
    return at(5.0, "told", text=text, level=level)


def secret(boot: float, where: str, value: str, *, agrees: bool) -> Record:
    """A client secret changes at one end."""
    return at(boot, "secret", token="t", at=where, agrees=agrees, secret=value, news=True)


def judged(
    *parts: Record | list[Record] | tuple[Record, ...], names: tuple[str, ...] = ("t", "u")
) -> set[str]:
    """The invariants broken by a history given in any order; records at one instant keep theirs."""
    records = [record for part in parts for record in ([part] if isinstance(part, dict) else part)]
    return {violation.invariant for violation in check(sorted(records, key=lambda each: each["boot"]), names)}


def test_a_healthy_life_breaks_nothing() -> None:
    """A token is minted, read both ways, and renewed at half of its life."""
    reads = [
        (socket(boot, "token-1", expires_in=900 - boot), file(boot, "token-1")) for boot in (3.0, 60.0, 499.0)
    ]
    after = socket(503.0, "token-2", expires_in=900), file(503.0, "token-2")
    assert set() == judged(start(0), mint(1, 1), *reads, mint(500, 2), after)


@pytest.mark.parametrize(
    ("broken", "history"),
    [
        ("I1", [socket(996.5, "token-1")]),  # beyond the end
        ("I1", [socket(10, "token-1", expires_in=992)]),  # promised more than it has
        ("I1", [socket(10, "token-7")]),  # never minted
        ("I1", [file(10, "token-7")]),
        ("I1", [at(9, "forged", token="t", value="a\r\nb"), file(10, "a\r\nb")]),
        ("I1", [*mint(2, 9, token="u"), socket(10, "token-9")]),  # minted for another
        ("I2", [socket(10, None)]),
        ("I2", [file(10, "token-1"), file(20, None)]),
        (
            "I2",
            [*fault(400, 900), file(450, "token-1"), *fails(500, 2), file(501, None)],
        ),  # a failure is no reason
        ("I2", [*mint(500, 2), file(510, "token-1")]),  # the older one still
        ("I2", [*mint(500, 2), socket(510, "token-1")]),
        ("I3", [ask(500, 2), ask(502, 3)]),
        ("I4", [*fails(500, 2), *fails(500.5, 3)]),
        ("I4", [*fails(500, 2, "rejected"), *fails(500.5, 3)]),  # the same secret
        ("I4", [*fails(500, 2, "rejected"), *fails(500.2, 3, "rejected", secret=SECOND), ask(500.6, 4)]),
        ("I4", [*fails(500, 2, "rejected"), *fails(500.09, 3, secret=SECOND)]),  # 100 ms, always
        (
            "I5",
            [
                *mint(600, 2, life=100),
                socket(601, "token-1", expires_in=1),
                socket(604, "token-2", expires_in=1),
            ],
        ),
        ("I6", [socket(994.0, None), socket(1500, None)]),
        ("I6", [socket(990, "token-1", expires_in=1)]),  # long past its renewal point
        ("I6", [*mint(500, 2), socket(970, "token-2", state="stale", expires_in=1)]),
        ("I7", [told("secret S3CR3T-1 was refused")]),
        ("I8", [mint(10, 2)[0]]),  # again, with nothing that would ask for it
        ("I8", [record for number in range(2, 160) for record in fails(450 + 3 * number, number)]),
        ("F-08", [at(10, "stray", url="https://attacker/token")]),
        ("R-034", [ask(10, number, token=f"{number}") for number in range(3, 8)]),
        ("R-050", [*fails(500, 2, "rejected"), *fails(530, 3, "rejected")]),
        ("R-050", [*fails(500, 2, "rejected"), *fails(561, 3, "rejected"), *fails(622, 4, "rejected")]),
        ("R-056", [each for number in range(2, 720) for each in fails(500 + 4 * number, number)]),
        ("R-055", [ask(500, 2), answer(501, 2, "throttled", retry_after=60.0), ask(540, 3)]),
        ("R-064", [mint(900, 2)[0]]),
        ("R-065", [*fault(500, 600), socket(1500, None)]),  # a tenth of the life, and it expired
        (
            "R-074",
            [
                secret(100, "server", FIRST, agrees=False),
                secret(110, "store", SECOND, agrees=True),
                ask(500, 2),
            ],
        ),
        (
            "R-076",
            [
                each
                for number in range(2, 9)
                for each in fails(500 + 61 * number, number, "rejected", secret=str(number))
            ],
        ),
        ("R-147", [stop(10, seconds=5.2)]),
        ("R-179", [told("task failed", level="error")]),
    ],
)
def test_each_broken_promise_is_named(broken: str, history: list[Record]) -> None:
    """After a first mint at one second, with a life of a thousand."""
    names = ("t", "u", *map(str, range(3, 8)))
    assert broken in judged(start(0), mint(1, 1), history, at(5000, "end"), names=names)


@pytest.mark.parametrize(
    "history",
    [
        [
            *fault(450, 900),
            *fails(500, 2),
            file(10, "token-1"),
            socket(1500, None),
            file(1500, "token-1"),
        ],  # I2, I6
        [*fails(500, 2, "rejected"), *mint(500.2, 3, secret=SECOND)],  # the one immediate second try of R-050
        [stop(100), start(101), socket(102, None), file(102, "token-1"), *mint(103, 2)],  # no cache
        [stop(100), start(101, adopts=True), socket(102, None), socket(104, "token-1", expires_in=1)],
        [
            secret(490, "store", SECOND, agrees=True),
            *mint(500, 2, life=100, secret=SECOND),
            socket(503, "token-2"),
        ],  # I5
        [at(400, "wish", token="t", what="renew"), *mint(401, 2)],  # asked for
        [at(400, "reload", changed=("t",)), *mint(401, 2)],  # another identity
        [*mint(500, 2, life=20), socket(503, "token-1", expires_in=1), ask(511, 3)],  # kept, asked again soon
        # The same where the one that is kept was adopted by another process.
        [
            stop(480),
            start(481, adopts=True),
            *mint(500, 2, life=200),
            socket(503, "token-1", expires_in=1),
            ask(549, 3),
        ],
        [*fault(300, 301, "machine"), socket(301.5, None)],  # the process has not run yet
        [
            *forgets_and_is_given_the_same_again(),
            socket(201.05, None),  # at the instant of the answer
            socket(300, "token-1", expires_in=694),
            socket(994.5, None),  # which is when that life is over, and the one of the first answer is not
        ],
        [
            *fault(50, 5000, "caching"),
            *[stop(100), start(101, adopts=None)],  # an older copy was authentic, and is kept
            *again(450, 2, life=550),
            *again(460, 3, life=540),
        ],
    ],
)
def test_what_may_happen_is_accepted(history: list[Record]) -> None:
    """After a first mint at one second, with a life of a thousand."""
    assert set() == judged(start(0), mint(1, 1), history)


def test_cached_token_is_expected_after_a_restart() -> None:
    """F-50, R-177: with a cache the socket serves again within two seconds."""
    assert {"I2"} == judged(start(0), mint(1, 1), stop(100), start(101, adopts=True), socket(103.5, None))


def test_file_removed_on_expiry_may_go_then() -> None:
    """With `on_expiry = "remove"` a file goes at the end of its token, and not before."""
    history = [start(0), *mint(1, 1), *fault(400, 1200), file(10, "token-1"), file(997, None)]
    ordered = sorted(history, key=lambda each: each["boot"])
    assert [] == check(ordered, ["t"], removed_on_expiry=["t"])
    assert ["I2"] == [violation.invariant for violation in check(ordered, ["t"])]


def test_backend_alone_is_no_excuse() -> None:
    """The last good secret serves while a backend is away; it cannot after a restart."""
    away = fault(400, 2500, "backend")
    assert "R-065" in judged(start(0), mint(1, 1), away, socket(1500, None))
    assert set() == judged(start(0), mint(1, 1), away, stop(450), start(451), socket(1500, None))


def test_metadata_excuse_only_a_process_that_has_none() -> None:
    """F-12: the last good ones serve; a process that took its tokens over may not have asked for any yet."""
    unusable = fault(460, 2500, "metadata")
    taken_over = stop(450), start(451, adopts=True)
    found = socket(500, "token-1", expires_in=496), socket(1500, None)
    assert "R-065" in judged(start(0), mint(1, 1), unusable, found)
    assert set() == judged(start(0), mint(1, 1), taken_over, unusable, found)
    assert set() == judged(start(0), mint(1, 1), unusable, stop(470), start(471, adopts=True), found)
    other = [*mint(2, 2, token="u"), *mint(455, 3, token="u")]  # of the same server
    assert "R-065" in judged(start(0), mint(1, 1), other, taken_over, unusable, found)


def test_token_kept_for_want_of_a_longer_one_may_end_with_a_shorter_outage() -> None:
    """R-073: late in its life less than R-065 allows is left of it; all the same it is not left to expire."""
    kept = [
        *(look(boot, "token-1") for look in (file, socket) for boot in (3, 700)),
        *(record for number in (2, 3, 4) for record in mint(300 + 100 * number, number, life=200)),
    ]
    expired = socket(1050, None), file(1050, "token-1")
    assert set() == judged(start(0), mint(1, 1), kept, fault(720, 1100), expired)
    assert {"R-065"} == judged(start(0), mint(1, 1), kept, fault(720, 800), expired)
    assert {"R-065"} == judged(start(0), mint(1, 1), kept[:4], fault(720, 1100), expired)


def test_token_kept_early_in_its_life_is_not_overdue() -> None:
    """R-073: somebody wished for another, which ended sooner; the renewal point stays where it was."""
    wished = at(1500, "wish", token="t", what="renew"), *mint(1500.2, 2, life=120)
    looks = [look(3, "token-1") for look in (file, socket)]
    history = start(0), *mint(1, 1, life=10_000), *looks, *wished
    assert set() == judged(*history, file(2000, "token-1"))
    assert {"I6"} == judged(*history, file(6100, "token-1"))


def test_jitter_that_collapses_is_found() -> None:
    """R-064: thirty renewals at the early end of their range were not drawn once each."""
    early = [record for number in range(30) for record in mint(1 + 801.0 * number, number, life=2000)]
    spread = [
        record
        for number in range(30)
        for record in mint(1 + 960.0 * number + 80 * (number % 2), number, life=2000)
    ]
    end = at(50_000, "end")
    assert {"R-064"} == judged(start(0), early, end)
    assert set() == judged(start(0), spread, end)
