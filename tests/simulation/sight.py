"""What both judges of one token look at: minted tokens, excuses, and where to report.

Owns: when a minted token stops being usable (docs/interface.md 7, expiry). Refuses to know: what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.excuses import Excuses

Report = Callable[[str, float, str], None]
"""The invariant, when on the boot clock, and what happened."""

MARGIN_SECONDS = 5.0
MARGIN_FRACTION = 0.1
LATEST_FRACTION = 0.6
"""Half of the lifetime, and the jitter: `renew_at` of these histories is the default."""
EARLIEST_FRACTION = 0.4


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that the broker was given. Times are on the boot clock; `wall_offset` is what the wall was ahead."""

    value: str
    asked: float
    given: float
    life: float
    secret: str
    wall_offset: float
    ends: float = field(init=False)
    """When the broker stops serving it: short of the end by 5 s or a tenth. Each read asks for it several times."""

    def __post_init__(self) -> None:
        ends = self.asked + self.life - min(MARGIN_SECONDS, MARGIN_FRACTION * self.life)
        object.__setattr__(self, "ends", ends)


@dataclass(frozen=True, slots=True)
class Sight:
    """Shared by the judges of one token."""

    excuses: Excuses
    report: Report
