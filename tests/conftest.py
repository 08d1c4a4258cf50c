"""The suite's plug-ins: real servers as fixtures, and the search for canaries."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.canary", "tests.servers.fixtures"]

# Under nohup, and so in every program that a test starts, it would be ignored, and a shell cannot even trap it then.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
