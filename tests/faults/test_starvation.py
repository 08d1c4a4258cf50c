"""The machine has nothing left: the kernel ends the process for lack of memory, or gives it hardly any CPU time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables
from tests.daemon.service_manager import ServiceManager
from tests.faults.control_group import ControlGroup
from tests.faults.daemons import MIB
from tests.faults.readers import Reader, of_file, of_socket
from tests.faults.test_kills import RESTART_SECONDS, restarted
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

HOG = "import sys; sys.stdin.readline(); held = []\nwhile True: held.append(b'x' * (1 << 20))"
"""Waits for a line, then takes all the memory that there is."""

CPU_FRACTION = 0.02
NEVER_KILLED_SECONDS = 20.0


def test_out_of_memory_killer_takes_the_process_and_no_token(daemon: Daemon, server: Server) -> None:
    """F-45, R-177: a neighbour in the same control group eats the memory; the file stays, a restart serves in 5 s."""
    daemon.write(local_tables(server, daemon.directory, files='format = "json"'))
    token_file = daemon.directory / "run" / "tokens" / "deploy"
    daemon.start()
    eventually(token_file.exists, what="the first token")
    with ControlGroup("memory") as group, Reader(of_file(token_file, server)) as reader:
        hog = subprocess.Popen([sys.executable, "-c", HOG], stdin=subprocess.PIPE)
        try:
            group.limit_memory(64 * MIB)
            group.add(daemon.pid)
            group.add(hog.pid)
            Path(f"/proc/{daemon.pid}/oom_score_adj").write_text("1000")
            hog.communicate(b"\n", timeout=120)
        finally:
            hog.kill()
            hog.wait()
        assert daemon.process is not None
        assert -signal.SIGKILL == daemon.process.wait(60)
        assert restarted(daemon, server) < RESTART_SECONDS
    assert [] == reader.wrong


def test_hardly_any_cpu_time_mints_once_and_is_never_taken_for_dead(
    daemon: Daemon, server: Server, manager: ServiceManager
) -> None:
    """F-46: at two hundredths of a CPU everything takes longer: no mint is made twice, no reader is turned away."""
    microseconds = int(NEVER_KILLED_SECONDS * 1_000_000)
    daemon.extra |= {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": str(microseconds)}
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    with ControlGroup("cpu") as group, Reader(of_socket(daemon, "deploy", server)) as reader:
        group.limit_cpu(CPU_FRACTION)
        group.add(daemon.pid)
        before = server.ledger.count("token")
        assert daemon.ask("/v1/tokens/deploy/renew", "POST")[0] == 202
        daemon.wait_for(revision=2, timeout=120)
        signs = manager.count("WATCHDOG=1")
        eventually(
            lambda: manager.count("WATCHDOG=1") > signs, timeout=NEVER_KILLED_SECONDS, what="a sign of life"
        )
    assert before + 1 == server.ledger.count("token")
    assert [] == reader.wrong
    assert reader.looks > 3
