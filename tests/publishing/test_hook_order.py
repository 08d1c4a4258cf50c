"""A program is told when the token is durable, seen by the system calls of a real daemon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.sinks.tracing import traced
from tests.waiting import eventually

pytestmark = pytest.mark.publishing


def test_the_program_starts_after_the_directory_was_synced(
    tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """R-113, R-123: token renamed, directory synced, companion renamed, directory synced, then the execve."""
    store(tmp_path, server.register("deploy", lifetime_seconds=43_200).reveal())
    trace = tmp_path / "trace"
    files = 'metadata = "tokens/about"\non_change = { exec = ["/bin/true"] }\n'
    with Daemon(tmp_path, local_tables(server, tmp_path, files=files)) as daemon:
        eventually(lambda: daemon.lines("hook_ran"), what="the first hook")
        with traced(daemon.pid, trace, "-f", "-e", "trace=rename,renameat,renameat2,fsync,execve"):
            assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
            eventually(lambda: len(daemon.lines("hook_ran")) == 2, what="the second hook")
    steps = re.findall(
        r'rename\w*\(.*"(deploy|about)"\S*\) += 0|(fsync)\(\d+<\S+/tokens>\)|(execve)\("/bin/true"',
        trace.read_text(),
    )
    assert ["deploy", "fsync", "about", "fsync", "execve"] == ["".join(step) for step in steps][:5]
