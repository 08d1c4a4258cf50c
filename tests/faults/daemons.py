"""Configurations of more than one managed token, and what `/proc` tells of a daemon.

Owns: the TOML of further tokens, servers and backends beside those of `local_tables`. Refuses to know: what goes wrong.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.daemon.running import Daemon

MIB = 1024 * 1024
UNDISTURBED_SECONDS = 5.0
"""No time at all, on a machine that may stop for a while: whatever hangs here hangs for ten seconds and more."""


def authorization_server(name: str, discovery_url: str, issuer: str, *, trust: str = "") -> str:
    """`[authorization_servers.NAME]` on loopback; without `trust` it is plain http."""
    return f"""
[authorization_servers.{name}]
profile = "outsystems-odc"
discovery_url = "{discovery_url}"
issuer = "{issuer}"
token_endpoint_hosts = ["127.0.0.1"]
{trust or "allow_insecure_loopback = true"}
"""


def token(name: str, *, server: str = "odc", backend: str = "local", client: str = "deploy") -> str:
    """`[tokens.NAME]`, not required, with the credentials of `client` in one secret of that name."""
    return f"""
[tokens.{name}]
authorization_server = "{server}"
client_id = "{client}"
client_secret = {{ backend = "{backend}", path = "{client}", field = "client_secret" }}
min_lifetime = "1s"
poll_secret_version = "1s"
required = false
"""


def memory_bytes(daemon: Daemon, what: str) -> int:
    """One of the sizes in /proc/PID/status: VmRSS, VmHWM (the peak), VmSize."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def forget_peak(daemon: Daemon) -> None:
    """Let VmHWM begin again at what is resident now."""
    Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")


def renewed(daemon: Daemon, name: str = "deploy") -> float:
    """Ask for a renewal and wait for it; the seconds that it took."""
    began = time.monotonic()
    status, _ = daemon.ask(f"/v1/tokens/{name}/renew?wait=10s", "POST")
    assert status == 200
    return time.monotonic() - began
