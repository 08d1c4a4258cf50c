"""Bad input from outside: one line that names the key, file or name and the fix, the documented code, no traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import Daemon, local_tables, run_verb, store
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer


def assert_explained(stderr: str, *words: str) -> None:
    """Every word is there, and nothing that a person should not have to see."""
    for word in words:
        assert word in stderr
    assert "Traceback" not in stderr
    assert MARKER not in stderr


@pytest.mark.parametrize("verb", ["check", "run", "once"])
def test_every_fault_is_told_at_once(tmp_path: Path, server: Server, verb: str) -> None:
    """R-001: an unknown key, a wrong type and a missing field are three lines with their key paths, and 78."""
    tables = local_tables(server, tmp_path, token='scoope = ["a"]\nrequired = "S3CR3T-yes"')
    daemon = Daemon(tmp_path, tables.replace(', path = "deploy", field = "client_secret"', ""))
    done = run_verb(verb, "--config", daemon.config)
    assert done.returncode == 78
    assert_explained(
        done.stderr,
        "tokens.deploy.scoope: ",
        "scope",
        "tokens.deploy.required: ",
        "tokens.deploy.client_secret.path: required",
    )
    assert len(done.stderr.splitlines()) == 3


def test_missing_configuration_file_is_named(tmp_path: Path) -> None:
    """78 and the path that was tried."""
    done = run_verb("run", "--config", tmp_path / "nowhere.toml")
    assert done.returncode == 78
    assert_explained(done.stderr, "nowhere.toml")


def test_secret_in_the_configuration_is_refused(tmp_path: Path, server: Server) -> None:
    """R-003: a client secret in the file is told apart from a reference, and never shown."""
    tables = local_tables(server, tmp_path).replace(
        'client_secret = { backend = "local", path = "deploy", field = "client_secret" }',
        'client_secret = "S3CR3T-in-the-file"',
    )
    done = run_verb("check", "--config", Daemon(tmp_path, tables).config)
    assert done.returncode == 78
    assert_explained(done.stderr, "tokens.deploy.client_secret: ", "backend")


def test_socket_path_that_is_too_long_is_a_configuration_error(tmp_path: Path, server: Server) -> None:
    """R-130: 107 bytes are what the kernel takes."""
    tables = local_tables(server, tmp_path) + f'\n[socket]\npath = "{"s" * 120}"\n'
    done = run_verb("run", "--config", Daemon(tmp_path, tables).config)
    assert done.returncode == 78
    assert_explained(done.stderr, "socket.path: ", "107")


def test_second_instance_ends_with_73_and_touches_nothing(daemon: Daemon) -> None:
    """R-010: the directory is named, and no file of the first one changes."""
    daemon.start()
    daemon.wait_for(state="fresh")
    run = daemon.directory / "run"
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.rglob("*")}
    done = run_verb("run", "--config", daemon.config)
    assert done.returncode == 73
    assert_explained(done.stderr, str(run))
    assert before == {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.rglob("*")}
    assert daemon.ask("/v1/tokens/deploy")[0] == 200


def test_ops_port_in_use_is_a_configuration_error(tmp_path: Path, server: Server) -> None:
    """interface.md 7: 78 with ops.listen."""
    daemon = Daemon(tmp_path, local_tables(server, tmp_path))
    with socket.create_server(("127.0.0.1", daemon.ops_port)):
        done = run_verb("run", "--config", daemon.config)
    assert done.returncode == 78
    assert_explained(done.stderr, "ops.listen: ", str(daemon.ops_port))


def test_unusable_runtime_directory_is_named(tmp_path: Path, server: Server) -> None:
    """78 with broker.runtime_dir where it cannot be created."""
    daemon = Daemon(tmp_path, local_tables(server, tmp_path))
    (tmp_path / "run").write_text("a file where a directory belongs")
    done = run_verb("run", "--config", daemon.config)
    assert done.returncode == 78
    assert_explained(done.stderr, "broker.runtime_dir: ")


def test_unwritable_directory_of_a_file_is_a_condition(daemon: Daemon, server: Server) -> None:
    """The daemon serves the socket, says publish_failed with the path, and heals without another mint."""
    blocker = daemon.directory / "run"
    blocker.mkdir()
    (blocker / "tokens").write_text("in the way")
    daemon.start()
    record = daemon.wait_for(condition="publish_failed", state="fresh")
    assert str(blocker / "tokens") in record["reason"]
    assert daemon.ask("/v1/tokens/deploy")[0] == 200
    (blocker / "tokens").unlink()
    daemon.wait_for(condition="ok", timeout=40)
    assert (blocker / "tokens" / "deploy").read_text() == daemon.ask("/v1/tokens/deploy")[1]["access_token"]
    assert server.ledger.count("token") == 1


def test_unknown_name_is_denied_like_a_forbidden_one(daemon: Daemon) -> None:
    """403 `denied` with the key that would allow it."""
    daemon.start()
    daemon.wait_for(state="fresh")
    status, problem = daemon.ask("/v1/tokens/nobody")
    assert (status, problem["code"]) == (403, "denied")
    assert "tokens.nobody.allow" in problem["help"]


def conditions(daemon: Daemon, name: str = "deploy") -> tuple[str, str]:
    """Condition and socket code of a token that cannot be had."""
    status, problem = daemon.ask(f"/v1/tokens/{name}")
    assert status == 503
    assert problem["retry_after"] >= 1
    return daemon.record(name)["condition"], problem["code"]


@pytest.mark.parametrize(
    ("endpoint", "fault", "condition", "code", "words"),
    [
        ("token", "invalid-scope", "misconfigured", "misconfigured", "scope"),
        ("token", "500", "unreachable", "unreachable", "500"),
        ("token", "429-retry-after", "throttled", "throttled", "asks for 60 s"),
        ("token", "not-json", "protocol_error", "unreachable", "JSON"),
        ("token", "405", "misconfigured", "misconfigured", "token endpoint"),
        ("metadata", "issuer-mismatch", "misconfigured", "misconfigured", "issuer"),
        ("metadata", "foreign-token-endpoint", "misconfigured", "misconfigured", "token_endpoint_hosts"),
    ],
)
def test_what_the_server_answers_becomes_a_condition_with_a_reason(  # noqa: PLR0917 - the columns of the table
    daemon: Daemon, server: Server, endpoint: str, fault: str, condition: str, code: str, words: str
) -> None:
    """The answer table, from outside: status, log, metrics and health agree, and the reason names what to look at."""
    server.fault(endpoint, fault)
    daemon.start()
    record = daemon.wait_for(condition=condition, state="absent")
    assert conditions(daemon) == (condition, code)
    assert words.lower() in record["reason"].lower()
    failed = daemon.line("mint_failed")
    assert (failed["error"], failed["condition"]) == (record["last_error"], condition)
    eventually(
        lambda: condition in {line["condition"] for line in daemon.lines("state_changed")},
        what="the condition is logged",
    )
    # It may have been tried again by now.
    assert (daemon.metric("mints_total", outcome="failure", error=record["last_error"]) or 0.0) >= 1.0
    assert daemon.metric("token_state", token="deploy", state="absent") == 1.0
    assert daemon.ops("/readyz/deploy")[0] == 503
    if endpoint == "metadata":
        assert server.ledger.count("token") == 0


def test_wrong_client_secret_is_awaited(daemon: Daemon, server: Server) -> None:
    """R-050: one login, one second look at the store, and no further login for a minute."""
    store(daemon.directory, "S3CR3T-wrong")
    daemon.start()
    daemon.wait_for(condition="awaiting_secret", state="absent")
    assert conditions(daemon) == ("awaiting_secret", "awaiting_secret")
    assert server.ledger.count("token") == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "deploy"),
        ('{"client_id": "deploy"}', "client_secret"),
        ('{"client_id": "deploy", "client_secret": "S3CR3T-a\\u0000b"}', "control characters"),
    ],
    ids=["no file", "no field", "NUL"],
)
def test_missing_or_malformed_secret_is_a_condition(
    daemon: Daemon, server: Server, document: str | None, words: str
) -> None:
    """The daemon starts, says secret_missing and where, sends nothing, and heals when the secret is there."""
    place = daemon.directory / "secrets" / "deploy"
    good = place.read_text()
    place.unlink()
    if document is not None:
        place.write_text(document)
    daemon.start()
    record = daemon.wait_for(condition="secret_missing", state="absent")
    assert words in record["reason"]
    assert MARKER not in record["reason"]
    assert server.ledger.count("token") == 0
    new = place.with_suffix(".new")
    new.write_text(good)
    new.replace(place)
    daemon.wait_for(condition="ok", state="fresh")


def test_once_gives_up_at_the_deadline_with_75(tmp_path: Path, server: Server) -> None:
    """A server that cannot be reached: try again later."""
    store(tmp_path, server.register("deploy").reveal())
    server.fault("token", "500")
    daemon = Daemon(tmp_path, local_tables(server, tmp_path), broker='startup_deadline = "5s"')
    done = run_verb("once", "--config", daemon.config)
    assert done.returncode == 75
    assert_explained(done.stderr, "deploy", "unreachable")
    assert not (tmp_path / "run" / "tokens" / "deploy").exists()


def test_once_ends_at_once_with_69_when_the_request_is_refused(daemon: Daemon, server: Server) -> None:
    """Time changes nothing about an unknown scope."""
    server.fault("token", "invalid-scope")
    done = run_verb("once", "--config", daemon.config)
    assert done.returncode == 69
    assert_explained(done.stderr, "deploy", "misconfigured", "scope")


def test_once_for_an_unknown_name_is_77(daemon: Daemon) -> None:
    """The configured names are told."""
    done = run_verb("once", "--config", daemon.config, "deplay")
    assert done.returncode == 77
    assert_explained(done.stderr, "deplay", "deploy")


def test_get_without_a_token_maps_the_code_to_its_exit_code(daemon: Daemon, server: Server) -> None:
    """75 while it may pass, 69 while an operator has to act."""
    server.fault("token", "invalid-scope")
    daemon.start()
    daemon.wait_for(condition="misconfigured")
    assert run_verb("get", "deploy", "--socket", daemon.socket).returncode == 69
    server.clear()
    server.fault("token", "500")
    daemon.stop()
    daemon.start()
    daemon.wait_for(condition="unreachable")
    assert run_verb("get", "deploy", "--socket", daemon.socket).returncode == 75
    eventually(
        lambda: run_verb("wait", "deploy", "--timeout", "100ms", "--socket", daemon.socket).returncode == 75,
        what="wait times out with 75",
    )
