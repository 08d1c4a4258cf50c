"""Programs that follow the state of a token, and programs that report a refused one."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import END_SECONDS, Daemon, UnixConnection, run_verb
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer


class Watcher:
    """An open `/v1/watch`."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._socket.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._file = self._socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._file.readline()

    def record(self) -> dict[str, object]:
        """The next line."""
        found: dict[str, object] = json.loads(self._file.readline())
        return found

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def report(daemon: Daemon, body: object) -> tuple[int, dict[str, object]]:
    """POST a report about `deploy`."""
    connection = UnixConnection(daemon.socket)
    try:
        connection.request("POST", "/v1/tokens/deploy/reject", body=json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def fingerprint(daemon: Daemon) -> str:
    """Computed as a reader of the file would."""
    token = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def test_watcher_sees_a_snapshot_and_each_revision(daemon: Daemon) -> None:
    """A snapshot first, then one line for a change; no token in any of them."""
    daemon.start()
    daemon.wait_for(state="fresh")
    watcher = Watcher(daemon.socket)
    assert b"200 OK" in watcher.head
    assert watcher.record()["revision"] == 1
    daemon.ask("/v1/tokens/deploy/renew", "POST")
    seen = [watcher.record()]
    while seen[-1]["revision"] != 2:
        seen.append(watcher.record())
    assert "S3CR3T" not in json.dumps(seen)
    watcher.close()
    code, seconds = daemon.stop()
    assert (code, seconds < END_SECONDS) == (0, True)


def test_report_about_the_current_token_leads_to_one_mint(daemon: Daemon, server: Server) -> None:
    """R-080: 202 once; then it is not current any more; a wrong body says what is expected."""
    daemon.start()
    daemon.wait_for(state="fresh")
    first = fingerprint(daemon)
    status, answer = report(daemon, {"fingerprint": first, "requested_at": 2**40, "unknown": 1})
    assert (status, answer["outcome"]) == (202, "started")
    daemon.wait_for(revision=2)
    assert report(daemon, {"fingerprint": first}) == (200, {"outcome": "not_current"})
    assert report(daemon, {"fingerprint": fingerprint(daemon), "requested_at": 1}) == (
        200,
        {"outcome": "too_old"},
    )
    status, answer = report(daemon, {"fingerprint": fingerprint(daemon)})
    assert (status, answer["code"]) == (429, "rate_limited")
    bodies: tuple[object, ...] = (
        [],
        {"fingerprint": 1},
        {"fingerprint": "S3CR3T-x"},
        {"fingerprint": first, "requested_at": "x"},
    )
    for wrong in bodies:
        status, answer = report(daemon, wrong)
        assert (status, answer["code"]) == (400, "invalid_request")
        assert "S3CR3T" not in str(answer)
    assert server.ledger.count("token") == 2
    assert daemon.metric("rejections_total", token="deploy") is not None


def test_verbs_reject_and_exec_work_with_the_daemon(daemon: Daemon) -> None:
    """`reject` renews; `exec` gives a program a file that holds the token."""
    daemon.start()
    daemon.wait_for(state="fresh")
    assert run_verb("reject", "deploy", "--socket", daemon.socket).returncode == 0
    daemon.wait_for(revision=2)
    token = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
    shown = run_verb(
        "exec", "--token", "deploy", "--socket", daemon.socket, "--", "sh", "-c", 'cat "$TOKEN_FILE"; exit 7'
    )
    assert (shown.returncode, shown.stdout) == (7, token)
    eventually(lambda: daemon.lines("token_rejected"), what="the report is logged")
