"""The service manager's watchdog and the lateness of the event loop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from broker.app.watchdog import Watchdog
from broker.events import HeartBeat
from broker.infra.systemd import Notifier
from tests.daemon.running import Daemon
from tests.daemon.service_manager import ServiceManager
from tests.waiting import eventually


def test_sign_of_life_is_given_twice_as_often_as_wanted(daemon: Daemon, manager: ServiceManager) -> None:
    """R-146: five signs within the time that five are due in, and none is wanted where there is no watchdog."""
    daemon.extra |= {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"}
    daemon.start()
    eventually(lambda: manager.count("WATCHDOG=1") >= 5, what="five signs of life")
    daemon.stop()


def test_stopped_process_gives_no_sign_and_says_later_that_it_was_late(
    daemon: Daemon, manager: ServiceManager
) -> None:
    """R-070, F-44: and the token goes on being served."""
    daemon.extra |= {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"}
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    os.kill(daemon.pid, signal.SIGSTOP)
    eventually(lambda: is_stopped(daemon.pid), what="the process stops")
    assert manager.is_silent(1.5)
    before = manager.count("WATCHDOG=1")
    os.kill(daemon.pid, signal.SIGCONT)
    eventually(lambda: manager.count("WATCHDOG=1") > before, what="a sign of life")
    late = eventually(lambda: daemon.lines("heart_beat"), what="the line about lateness")
    assert max(line["late_seconds"] for line in late) > 1  # a busy machine may have been late before
    assert "fresh" == daemon.ask("/v1/tokens/deploy")[1]["state"]
    daemon.stop()


def is_stopped(pid: int) -> bool:
    """By SIGSTOP."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_loop_that_is_five_seconds_late_is_not_told_to_be_alive(tmp_path: Path) -> None:
    """R-070: the beat comes again, but whoever is so late serves nobody."""
    manager = ServiceManager(tmp_path / "notify")
    watchdog = Watchdog(Notifier({"NOTIFY_SOCKET": str(manager.path)}), 30.0)
    watchdog(HeartBeat(late_seconds=5.1))
    assert 0 == manager.count("WATCHDOG=1")
    watchdog(HeartBeat(late_seconds=4.9))
    assert 1 == manager.count("WATCHDOG=1")
    manager.close()
