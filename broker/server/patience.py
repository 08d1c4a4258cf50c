"""How long a peer may take for what, and how much it may send.

Owns: the phases of a connection and their limits (R-136). Refuses to know: clocks, sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, assert_never

Phase = Literal["idle", "receiving", "answering", "sending", "streaming", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What one connection may use."""

    head_bytes: int = 4096
    body_bytes: int = 4096
    receive_seconds: float = 2.0
    idle_seconds: float = 30.0
    send_seconds: float = 5.0

    def seconds(self, phase: Phase) -> float:
        """How long a connection may stay in this phase without progress."""
        match phase:
            case "idle":
                return self.idle_seconds
            case "receiving":
                return self.receive_seconds
            case "sending" | "closing":
                return self.send_seconds
            case "answering" | "streaming":
                return math.inf  # ours to end
            case _:
                assert_never(phase)
