"""What happened, as plain tuples: the only thing that the world and the checker share.

Owns: the record. Refuses to know: what is right. Times are boot-clock seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Minted:
    """The authorization server handed out a token; `ends` is when it stops accepting it."""

    at: float
    name: str
    token: str
    ends: float
    secret: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the token endpoint: `answer` is ok, credential, other or none; `until` when that was."""

    at: float
    until: float
    name: str
    secret: str
    answer: str


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader found: the content of the file (None: no file), or of the socket's answer (None: an error)."""

    at: float
    name: str
    where: str
    token: str | None
    wall_left: float | None = None


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something was wrong between these times."""

    begin: float
    end: float
    what: str


@dataclass(slots=True)
class History:
    """One run."""

    names: tuple[str, ...]
    marker: str
    began: float = 0.0
    ended: float = 0.0
    minted: list[Minted] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    plans: list[tuple[float, str, float]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    is_cached: bool = False
    """Whether a restarted broker must go on with what was minted before."""
