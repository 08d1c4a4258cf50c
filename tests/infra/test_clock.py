"""The clocks of this machine."""

from __future__ import annotations

import time

from broker.infra.clock import SystemClock


def test_both_clocks() -> None:
    """Wall is Unix time, boot is the clock that goes on during suspend; `boot` alone reads the same."""
    before = (time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))
    clock = SystemClock()
    now, boot = clock.now(), clock.boot()
    after = (time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))
    assert before[0] <= now.wall <= after[0]
    assert before[1] <= now.boot <= boot <= after[1]
