"""The suite's plug-ins: real servers as fixtures, and the search for canaries."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.canary", "tests.servers.fixtures"]

# Under nohup, or in the background of a shell, these would be ignored, and in every program that a test starts: a shell
# cannot even trap them then.
for number, usual in {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)
