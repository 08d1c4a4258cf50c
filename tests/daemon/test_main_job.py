"""The main job from outside: minted, published, renewed, re-minted after a rotation, measured, stopped."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import Daemon, local_tables, run_verb, store
from tests.waiting import eventually


def test_token_is_published_to_file_and_socket(
    daemon: Daemon, server: DevelopmentAuthorizationServer
) -> None:
    """One mint; file and socket hold the same active token, the file is private and without a newline."""
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    file = daemon.directory / "run" / "tokens" / "deploy"
    token = eventually(lambda: file.read_text() if file.exists() else "", what="the token file")
    status, answer = daemon.ask("/v1/tokens/deploy")
    assert status == 200
    assert answer["access_token"] == token
    assert answer["token_type"] == "Bearer"
    assert 43_100 < answer["expires_in"] <= 43_195
    assert answer["fingerprint"] == hashlib.sha256(token.encode()).hexdigest()[:16]
    assert answer["state"] == "fresh"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server.introspect(token)["active"] is True
    assert server.ledger.count("token") == 1
    assert daemon.ask("/v1/tokens/deploy", accept="text/plain") == (200, token)


def test_short_token_is_renewed_before_it_expires(
    tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """Tokens of 25 s are renewed at half of their life, and both copies change."""
    store(tmp_path, server.register("deploy", lifetime_seconds=25).reveal())
    with Daemon(tmp_path, local_tables(server, tmp_path)) as daemon:
        daemon.wait_for(revision=1)
        first = daemon.ask("/v1/tokens/deploy")[1]
        daemon.wait_for(revision=2, timeout=30)
        second = daemon.ask("/v1/tokens/deploy")[1]
        assert second["access_token"] != first["access_token"]
        assert second["issued_at"] < first["expires_at"]
        file = tmp_path / "run" / "tokens" / "deploy"
        eventually(lambda: file.read_text() == second["access_token"], what="the renewed token in the file")


def test_rotated_secret_is_used_by_itself(daemon: Daemon, server: DevelopmentAuthorizationServer) -> None:
    """R-076: the old secret dies, the store learns of the new one later, and nobody has to do anything."""
    daemon.start()
    daemon.wait_for(state="fresh")
    old = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
    secret = server.rotate("deploy")
    assert daemon.ask("/v1/tokens/deploy/renew", "POST")[0] == 202
    daemon.wait_for(condition="awaiting_secret", state="stale")
    assert daemon.ask("/v1/tokens/deploy")[1]["access_token"] == old
    store(daemon.directory, secret.reveal())
    daemon.wait_for(condition="ok", state="fresh", revision=2)
    assert server.introspect(daemon.ask("/v1/tokens/deploy")[1]["access_token"])["active"] is True
    assert [entry.status for entry in server.ledger.entries("token")] == [200, 401, 200]


def test_metrics_and_health_tell_the_state(daemon: Daemon) -> None:
    """R-150, R-167: absolute times, readiness of one and of all, liveness."""
    daemon.start()
    record = daemon.wait_for(state="fresh")
    eventually(lambda: daemon.metric("publishes_total", outcome="success"), what="the publication is counted")
    assert daemon.metric("mints_total", outcome="success", token="deploy") == 1.0
    assert int(daemon.metric("token_expires_timestamp_seconds", token="deploy") or 0) == record["expires_at"]
    assert daemon.metric("token_state", token="deploy", state="fresh") == 1.0
    assert (daemon.metric("secret_fetches_total", backend="local", outcome="success") or 0.0) >= 1.0
    assert daemon.ops("/livez")[0] == 200
    assert daemon.ops("/readyz")[0] == 200
    assert daemon.ops("/readyz/deploy")[0] == 200
    assert daemon.ops("/readyz/nobody")[0] == 404


def test_canary_is_found_in_the_token_file_only(daemon: Daemon) -> None:
    """R-154 to R-158: with the log at DEBUG, through a failure and a reload, no secret leaves its place."""
    daemon.start()
    daemon.wait_for(state="fresh")
    for path in ("/v1/tokens", "/v1/status", "/v1/tokens/nobody"):
        assert MARKER not in str(daemon.ask(path)[1])
    for path in ("/metrics", "/readyz", "/"):
        assert MARKER not in daemon.ops(path)[1]
    proc = Path("/proc") / str(daemon.pid)
    for name in ("cmdline", "environ"):
        assert MARKER.encode() not in (proc / name).read_bytes()
    shown = run_verb("status", "--socket", daemon.socket)
    assert shown.returncode == 0
    assert MARKER not in shown.stdout + shown.stderr
    daemon.stop()
    for place in (daemon.directory / "run", daemon.directory / "state"):
        for file in place.rglob("*"):
            if file.is_file() and file != daemon.directory / "run" / "tokens" / "deploy":
                assert MARKER.encode() not in file.read_bytes(), file


def test_client_verbs_read_the_socket(daemon: Daemon) -> None:
    """`get`, `wait`, `renew` and `status --json` against a real daemon, with their exit codes."""
    daemon.start()
    assert run_verb("wait", "deploy", "--timeout", "20s", "--socket", daemon.socket).returncode == 0
    got = run_verb("get", "deploy", "--socket", daemon.socket)
    assert (got.returncode, got.stdout) == (0, daemon.ask("/v1/tokens/deploy")[1]["access_token"])
    header = run_verb("get", "deploy", "--format", "header", "--socket", daemon.socket)
    assert header.stdout == f"Authorization: Bearer {got.stdout}\n"
    assert run_verb("renew", "deploy", "--wait", "10s", "--socket", daemon.socket).returncode == 0
    assert daemon.record()["revision"] == 2
    assert run_verb("get", "nobody", "--socket", daemon.socket).returncode == 77
    assert run_verb("get", "deploy", extra={"TOKEN_BROKER_SOCKET": "/nonexistent/s"}).returncode == 75


def test_once_mints_publishes_and_exits(daemon: Daemon, server: DevelopmentAuthorizationServer) -> None:
    """For init containers: the file is there, the exit code is 0, nothing goes on running."""
    done = run_verb("once", "--config", daemon.config)
    assert done.returncode == 0, done.stderr
    token = (daemon.directory / "run" / "tokens" / "deploy").read_text()
    assert server.introspect(token)["active"] is True
    assert MARKER not in done.stderr + done.stdout


def test_once_beside_a_daemon_mints_nothing(daemon: Daemon, server: DevelopmentAuthorizationServer) -> None:
    """interface.md 7: if a daemon holds the directories, its tokens are waited for."""
    daemon.start()
    daemon.wait_for(state="fresh")
    assert run_verb("once", "--config", daemon.config).returncode == 0
    assert server.ledger.count("token") == 1


def test_process_cannot_be_dumped_or_read(daemon: Daemon) -> None:
    """R-159: not dumpable, no core file, private umask."""
    daemon.start()
    daemon.wait_for(state="fresh")
    limits = (Path("/proc") / str(daemon.pid) / "limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert (Path("/proc") / str(daemon.pid) / "status").stat().st_uid == 0 or os.geteuid() == 0
    status = (Path("/proc") / str(daemon.pid) / "status").read_text()
    assert "Umask:\t0077" in status
