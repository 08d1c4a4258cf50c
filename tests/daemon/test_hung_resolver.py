"""Name resolution that hangs, in a network namespace of the test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.cache import require_namespaces
from tests.daemon.running import COMMAND, END_SECONDS, Daemon, environment, local_tables, store
from tests.server.running import needs_root
from tests.waiting import eventually

SILENT_NAME_SERVER = """
import contextlib, socket
with socket.socket(type=socket.SOCK_DGRAM) as listening:
    listening.bind(('127.0.0.1', 53))
    listening.settimeout(60)
    listening.recv(512)
    print('asked', flush=True)
    with contextlib.suppress(TimeoutError):
        while True:
            listening.recv(512)
"""


@pytest.mark.usefixtures("root")
def test_sigterm_ends_it_within_five_seconds_with_the_resolver_hung(
    tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """F-13, F-49: getaddrinfo cannot be interrupted; the process ends all the same."""
    store(tmp_path, server.register("deploy").reveal())
    tables = local_tables(server, tmp_path).replace(
        server.discovery_url, "https://login.example/identity/.well-known/openid-configuration"
    )
    daemon = Daemon(tmp_path, tables)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    (tmp_path / "name_server.py").write_text(SILENT_NAME_SERVER)
    script = (
        f"ip link set lo up && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && "
        f'{{ {COMMAND[0]} {tmp_path}/name_server.py > {tmp_path}/asked & }} && exec "$@"'
    )
    with daemon.log.open("ab") as log:
        daemon.process = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                *COMMAND,
                "run",
                "--config",
                str(daemon.config),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
        )
    asked = tmp_path / "asked"
    eventually(
        lambda: asked.exists() and asked.read_text(),
        what="the question to the name server",
    )
    code, seconds = daemon.stop()
    assert code == 0
    assert seconds < END_SECONDS


@pytest.fixture
def root() -> None:
    """Network namespaces need root."""
    needs_root()
    require_namespaces("--net", "--mount")
