"""The command as a user runs it: a process of its own, in an environment that says nothing about a broker.

Owns: starting it. Refuses to know: the verbs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

COMMAND = (sys.executable, "-m", "broker")


def environment(**more: str) -> dict[str, str]:
    """The test's environment, without any variable of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TOKEN_BROKER_")} | more


def token_broker(
    *argv: str, env: Mapping[str, str] | None = None, timeout: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. What it printed must hold no traceback, whatever happened."""
    run = subprocess.run(
        [*COMMAND, *argv],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in run.stderr
    return run
