"""What a benchmark found: one line of the table, with the bar it has to meet and the aim beyond it.

Owns: the line, its verdict, the table. Refuses to know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Verdict = Literal["", "aim met", "bar met", "MISSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. Less is better unless `more_is_better`; without a bar it only informs."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    aim: float | None = None
    more_is_better: bool = False

    @property
    def verdict(self) -> Verdict:
        """Where the value lies."""
        if self.bar is None:
            return ""
        if self.aim is not None and self._meets(self.aim):
            return "aim met"
        return "bar met" if self._meets(self.bar) else "MISSED"

    def _meets(self, limit: float) -> bool:
        return self.value >= limit if self.more_is_better else self.value <= limit


def head() -> str:
    """The first line of the table."""
    return f"{'measure':62} {'value':>10} {'':5} {'bar':>6} {'aim':>6}  verdict"


def line(figure: Figure) -> str:
    """One line of the table."""
    bar, aim = (f"{limit:6g}" if limit is not None else f"{'':6}" for limit in (figure.bar, figure.aim))
    return f"{figure.what:62} {figure.value:10.2f} {figure.unit:5} {bar} {aim}  {figure.verdict}".rstrip()


def documents(figures: Iterable[Figure]) -> list[dict[str, object]]:
    """The figures for JSON."""
    return [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
