"""The suite's plug-ins: real servers as fixtures, and the search for canaries; and what holds for all of it."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.canary", "tests.servers.fixtures"]

# Under nohup, or in the background of a shell, these would be ignored, and in every program that a test starts: a shell
# cannot even trap them then.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# An example that takes long says that the machine is busy; by default one of more than 200 ms is a failure.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("patient")
