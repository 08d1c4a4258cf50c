"""Start, READY, reload, stop: what systemd, Kubernetes and an operator see."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.restarting import told
from tests.daemon.running import END_SECONDS, Daemon, local_tables, run_verb, store
from tests.daemon.service_manager import ServiceManager
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer


def test_ready_is_sent_when_the_token_is_published_and_stopping_at_the_end(
    daemon: Daemon, manager: ServiceManager
) -> None:
    """R-144, R-147: READY after the file is there, STOPPING on SIGTERM, exit 0."""
    daemon.extra["NOTIFY_SOCKET"] = str(manager.path)
    daemon.start()
    eventually(lambda: manager.heard("READY=1"), what="READY=1")
    assert (daemon.directory / "run" / "tokens" / "deploy").exists()
    code, seconds = daemon.stop()
    assert code == 0
    assert seconds < END_SECONDS
    assert manager.heard("STOPPING=1")
    assert not daemon.socket.exists()
    assert (daemon.directory / "run" / "tokens" / "deploy").exists()


def test_ready_comes_at_the_deadline_with_every_upstream_down(
    tmp_path: Path, server: Server, manager: ServiceManager
) -> None:
    """R-144, pitfall 42: one dead tenant does not block the boot; STATUS says degraded, and recovery is told."""
    store(tmp_path, server.register("deploy").reveal())
    server.fault("token", "500")
    daemon = Daemon(
        tmp_path,
        local_tables(server, tmp_path),
        broker='startup_deadline = "1s"',
        extra={"NOTIFY_SOCKET": str(manager.path)},
    )
    with daemon:
        eventually(lambda: manager.heard("READY=1"), what="READY=1")
        assert manager.heard("STATUS=degraded")
        assert daemon.ops("/readyz")[0] == 503
        assert daemon.ops("/livez")[0] == 200
        server.clear()
        daemon.wait_for(state="fresh")
        eventually(lambda: manager.heard("every required token is published by now"), what="the new STATUS")
        assert daemon.ops("/readyz")[0] == 200


@pytest.mark.parametrize("endpoint", ["metadata", "token"])
def test_sigterm_ends_it_within_five_seconds_with_the_server_hung(
    daemon: Daemon, server: Server, endpoint: str
) -> None:
    """F-49: a mint is in flight and gets no answer."""
    server.fault(endpoint, "hang")
    daemon.start()
    eventually(lambda: server.ledger.count(endpoint), what="the hung request")
    code, seconds = daemon.stop()
    assert code == 0
    assert seconds < END_SECONDS


def test_sigterm_ends_it_within_five_seconds_with_the_backend_hung(tmp_path: Path, server: Server) -> None:
    """F-49, R-147: the thread of a synchronous library cannot be stopped, and need not be."""
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        port = black_hole.getsockname()[1]
        (tmp_path / "token").write_text("S3CR3T-vault-token")
        tables = local_tables(server, tmp_path).replace(
            f'type = "file"\ndirectory = "{tmp_path}/secrets"',
            f'type = "vault"\nurl = "http://127.0.0.1:{port}"\nallow_insecure_loopback = true\n'
            f'auth = {{ method = "token_file", path = "{tmp_path}/token" }}',
        )
        with Daemon(tmp_path, tables) as daemon:
            black_hole.settimeout(60)
            hung, _ = black_hole.accept()
            code, seconds = daemon.stop()
            hung.close()
    assert code == 0
    assert seconds < END_SECONDS


def test_reload_without_a_change_mints_nothing(
    daemon: Daemon, server: Server, manager: ServiceManager
) -> None:
    """R-012, R-145: RELOADING with its time in one datagram, a closing READY, token and schedule untouched."""
    daemon.extra["NOTIFY_SOCKET"] = str(manager.path)
    daemon.start()
    eventually(lambda: manager.heard("READY=1"), what="READY=1")
    before = daemon.wait_for(state="fresh", condition="ok")
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(lambda: daemon.lines("config_reloaded"), what="the reload is logged")
    assert manager.heard("RELOADING=1\nMONOTONIC_USEC=")
    eventually(lambda: "READY=1" in manager.datagrams[-1] or manager.heard("STATUS=reloaded"), what="READY=1")
    assert daemon.record() == before
    assert server.ledger.count("token") == 1
    assert daemon.metric("config_reloads_total", outcome="success") == 1.0


def test_a_reload_without_the_token_that_the_start_waits_for_makes_ready(
    daemon: Daemon, server: Server
) -> None:
    """R-144: what is required is what the configuration in force requires."""
    tables = local_tables(server, daemon.directory)
    missing = "[tokens.missing]" + tables.partition("[tokens.deploy]")[2]
    missing = missing.replace("tokens.deploy", "tokens.missing").replace("deploy", "missing")
    daemon.write(tables + missing)
    daemon.start()
    daemon.wait_for(state="fresh")
    daemon.wait_for(name="missing", condition="secret_missing")
    assert not told(daemon, "ready")
    daemon.write(tables)
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(lambda: told(daemon, "ready"), what="READY")


def test_reload_of_a_broken_file_keeps_the_old_one(
    daemon: Daemon, server: Server, manager: ServiceManager
) -> None:
    """R-012: the faults are logged, the old configuration serves on, READY is sent all the same."""
    daemon.extra["NOTIFY_SOCKET"] = str(manager.path)
    daemon.start()
    daemon.wait_for(state="fresh")
    daemon.config.write_text(
        daemon.config.read_text().replace("[tokens.deploy]", "[tokens.deploy]\nscoope = 1")
    )
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    (line,) = eventually(lambda: daemon.lines("config_reloaded"), what="the failed reload is logged")
    assert line["outcome"] == "failure"
    assert "tokens.deploy.scoope" in line["message"]
    eventually(lambda: manager.heard("the old configuration stays in force"), what="the new STATUS")
    assert daemon.ask("/v1/tokens/deploy")[0] == 200
    assert daemon.metric("config_reloads_total", outcome="failure") == 1.0


def test_reload_starts_stops_and_replaces_by_name(daemon: Daemon, server: Server) -> None:
    """A token more, a token less, another format: each changes alone; a removed token's file follows on_expiry."""
    store(daemon.directory, server.rotate("deploy").reveal())
    other = local_tables(server, daemon.directory).partition("[tokens.deploy]")[2]
    second = "[tokens.second]" + other.replace("tokens.deploy", "tokens.second").replace(
        'path = "tokens/deploy"', 'path = "tokens/second"\non_expiry = "remove"'
    )
    daemon.write(local_tables(server, daemon.directory) + second)
    daemon.start()
    first = daemon.wait_for(state="fresh")
    daemon.wait_for(name="second", state="fresh")
    second_file = daemon.directory / "run" / "tokens" / "second"
    eventually(second_file.exists, what="the second file")
    minted = server.ledger.count("token")

    daemon.write(local_tables(server, daemon.directory, files='format = "header"'))
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(lambda: daemon.lines("config_reloaded"), what="the reload is logged")
    token = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
    file = daemon.directory / "run" / "tokens" / "deploy"
    eventually(lambda: file.read_text() == f"Authorization: Bearer {token}\n", what="the new format")
    eventually(lambda: not second_file.exists(), what="the removed token's file is gone")
    assert daemon.ask("/v1/tokens/second")[0] == 403
    assert daemon.record()["issued_at"] == first["issued_at"]
    assert server.ledger.count("token") == minted


@pytest.mark.parametrize(("on_expiry", "stays"), [("remove", False), ("keep", True)])
def test_reload_to_another_companion_leaves_the_old_one_to_on_expiry(
    daemon: Daemon, server: Server, on_expiry: str, *, stays: bool
) -> None:
    """R-123: the description moves, or goes; the token file is not touched, and what is left follows on_expiry."""
    run = daemon.directory / "run"
    token, old, new = (run / name for name in ("tokens/deploy", "about/old", "about/new"))

    def described_at(*names: str) -> str:
        keys = [f'on_expiry = "{on_expiry}"', *(f'metadata = "about/{name}"' for name in names)]
        return local_tables(server, daemon.directory, files="\n".join(keys))

    daemon.write(described_at("old"))
    daemon.start()
    eventually(old.exists, what="the companion")
    before = token.stat()

    daemon.write(described_at("new"))
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(new.exists, what="the companion at its new place")
    eventually(lambda: old.exists() == stays, what="the old companion follows on_expiry")
    daemon.write(described_at())
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(lambda: len(daemon.lines("config_reloaded")) == 2, what="the second reload is logged")
    eventually(lambda: new.exists() == stays, what="the new companion follows on_expiry")
    after = token.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_restart_required_is_told(daemon: Daemon) -> None:
    """interface.md 7: a changed socket path keeps its old value until a restart."""
    daemon.start()
    daemon.wait_for(state="fresh")
    daemon.config.write_text(daemon.config.read_text() + '\n[socket]\npath = "other.sock"\n')
    daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    (line,) = eventually(lambda: daemon.lines("config_reloaded"), what="the reload is logged")
    assert "restart required" in line["message"]
    assert daemon.ask("/v1/tokens/deploy")[0] == 200


def test_stale_socket_of_a_killed_daemon_is_no_obstacle(daemon: Daemon) -> None:
    """R-130: after SIGKILL the socket is there and dead; the next start takes its place."""
    daemon.start()
    daemon.wait_for(state="fresh")
    daemon.stop(signal.SIGKILL)
    assert daemon.socket.exists()
    daemon.start()
    eventually(
        lambda: run_verb("get", "deploy", "--socket", daemon.socket).returncode == 0,
        what="the socket answers",
    )


def test_one_directory_may_be_runtime_and_state_directory(daemon: Daemon) -> None:
    """It is locked once, not against ourselves; a second instance still has no place in it."""
    text = daemon.config.read_text().replace(f"{daemon.directory}/state", f"{daemon.directory}/./run")
    daemon.config.write_text(text)
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    second = run_verb("run", "--config", str(daemon.config))
    assert 73 == second.returncode
    daemon.stop()
