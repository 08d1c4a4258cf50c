"""on_change, seen from outside: real programs told of real tokens, by signal and by exec."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.restarting import KEY_FILE, entry_of, killed, write_key
from tests.daemon.running import END_SECONDS, Daemon, local_tables, run_verb, store
from tests.sinks.listener import listening
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

NOTE = 'echo "$TOKEN_REVISION $(sha256sum < "$TOKEN_FILE" | cut -c1-16)" >> "$1/told"'
WORK = (
    'echo "begin $TOKEN_REVISION" >> "$1/told"; echo $$ > "$1/pid"; '
    'until [ -e "$1/go" ]; do sleep 0.02; done; echo "end $TOKEN_REVISION" >> "$1/told"'
)


def shell(script: str, directory: Path) -> str:
    """`on_change` that runs this; `$1` is the directory. A shell because the configuration says so, and only then."""
    argv = ["/bin/sh", "-c", script, "hook", str(directory)]
    return f"on_change = {{ exec = {json.dumps(argv)} }}\n"


def told(directory: Path) -> list[str]:
    """What hooks wrote down."""
    path = directory / "told"
    return path.read_text().splitlines() if path.exists() else []


def wait_told(directory: Path, count: int) -> list[str]:
    """Wait until so many lines are there."""
    return (
        eventually(
            lambda: lines if len(lines := told(directory)) >= count else None, what=f"{count} lines of hooks"
        )
        or []
    )


def hooked(directory: Path, server: Server, files: str, *, cache: str = "") -> Daemon:
    """A daemon that is not started yet, with these keys in the table of the file."""
    store(directory, server.register("deploy", lifetime_seconds=43_200, scope=("a", "b")).reveal())
    return Daemon(directory, cache + local_tables(server, directory, files=files))


def renewed(daemon: Daemon) -> str:
    """Renew now, which waits for no program; the new token's fingerprint."""
    assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=20s", "POST")[0]
    fingerprint: str = daemon.ask("/v1/tokens/deploy")[1]["fingerprint"]
    return fingerprint


def test_a_program_gets_these_variables_and_no_other(tmp_path: Path, server: Server) -> None:
    """interface.md 7: copied from where the kernel keeps what it was started with."""
    on_change = f'on_change = {{ exec = ["/bin/cp", "/proc/self/environ", "{tmp_path}/environment"] }}\n'
    with hooked(tmp_path, server, on_change) as daemon:
        eventually((tmp_path / "environment").exists, what="the hook")
        eventually(lambda: daemon.metric("hook_runs_total", outcome="success"), what="the hook's end")
    assert {
        "PATH": os.environ["PATH"],
        "TOKEN_NAME": "deploy",
        "TOKEN_FILE": f"{tmp_path}/run/tokens/deploy",
        "TOKEN_REVISION": "1",
    } == dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().split("\0") if line)


def test_each_token_is_told_when_it_is_there(tmp_path: Path, server: Server) -> None:
    """The program finds in the file the token of the revision it is told, whole, and is told once."""
    with hooked(tmp_path, server, shell(NOTE, tmp_path)) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        expected = [f"1 {daemon.ask('/v1/tokens/deploy')[1]['fingerprint']}"]
        wait_told(tmp_path, 1)
        for number in (2, 3):
            expected.append(f"{number} {renewed(daemon)}")
            wait_told(tmp_path, number)
        eventually(
            lambda: 3 == daemon.metric("hook_runs_total", token="deploy", sink="file", outcome="success"),
            what="three counted hooks",
        )
        eventually(
            lambda: [1, 2, 3] == [line["revision"] for line in daemon.lines("hook_ran")], what="three lines"
        )
    assert expected == told(tmp_path)


def test_a_running_process_gets_the_signal(tmp_path: Path, server: Server) -> None:
    """By the pid file that it wrote; at first there is none, and that is a failure that is tried again."""
    on_change = f'on_change = {{ signal = "HUP", pid_file = "{tmp_path}/app.pid" }}\n'
    received = tmp_path / "received"
    with hooked(tmp_path, server, on_change) as daemon:
        eventually(lambda: daemon.lines("hook_ran"), what="the failure")
        with listening(received) as pid:
            (tmp_path / "app.pid").write_text(f"{pid}\n")
            assert eventually(received.exists, what="SIGHUP")
        failure = daemon.line("hook_ran")
        assert ("failure", "warning") == (failure["outcome"], failure["level"])
        assert f"{tmp_path}/app.pid cannot be read: No such file or directory" in failure["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away: run as root")
def test_the_pid_file_of_a_stranger_is_refused(tmp_path: Path, server: Server) -> None:
    """interface.md 7: nobody is signalled; the line names path, owner and mode."""
    pid_file, received = tmp_path / "app.pid", tmp_path / "received"
    on_change = f'on_change = {{ signal = "HUP", pid_file = "{pid_file}" }}\n'
    with listening(received) as pid:
        pid_file.write_text(f"{pid}\n")
        pid_file.chmod(0o644)
        os.chown(pid_file, 12_345, -1)
        with hooked(tmp_path, server, on_change) as daemon:
            eventually(lambda: daemon.lines("hook_ran"), what="the refusal")
            daemon.wait_for(state="fresh", condition="ok")
        assert not received.exists()
    message = daemon.line("hook_ran")["message"]
    assert f"{pid_file} (owner uid 12345, mode 0644) belongs neither to root nor to the broker" in message


def test_changes_during_a_run_become_one_and_nobody_waits(tmp_path: Path, server: Server) -> None:
    """Three renewals while the program works: none waits for its end, and the last one alone is told after it."""
    with hooked(tmp_path, server, shell(WORK, tmp_path)) as daemon:
        assert ["begin 1"] == wait_told(tmp_path, 1)
        for _ in range(3):
            renewed(daemon)
        # Not before the publication has ended is it news for the program; the file is there a moment earlier.
        eventually(
            lambda: 4 in {line["revision"] for line in daemon.lines("published")},
            what="the fourth token is published",
        )
        assert ["begin 1"] == told(tmp_path)
        (tmp_path / "go").touch()
        assert ["begin 1", "end 1", "begin 4", "end 4"] == wait_told(tmp_path, 4)
        assert {"state": "fresh", "condition": "ok"}.items() <= daemon.record().items()


def test_a_failure_leaves_the_token_alone_and_is_tried_again(tmp_path: Path, server: Server) -> None:
    """It shows in log and metric, and nowhere in state, condition and readiness; then it succeeds, once."""
    script = f'echo S3CR3T-printed; [ -e "$1/go" ] || exit 3; {NOTE}'
    with hooked(tmp_path, server, shell(script, tmp_path)) as daemon:
        eventually(
            lambda: daemon.metric("hook_runs_total", outcome="failure"), what="a failure", retry_on=(OSError,)
        )
        assert {"state": "fresh", "condition": "ok"}.items() <= daemon.record().items()
        assert 200 == daemon.ops("/readyz")[0]
        assert (tmp_path / "run" / "tokens" / "deploy").exists()
        assert "/bin/sh ended with status 3: look at what it logs" == daemon.line("hook_ran")["message"]
        (tmp_path / "go").touch()
        assert 1 == len(wait_told(tmp_path, 1))
        assert 1 == eventually(
            lambda: daemon.metric("hook_runs_total", outcome="success"), what="the success"
        )


def test_a_stop_ends_a_running_program(tmp_path: Path, server: Server) -> None:
    """F-49: exit 0 within 5 s, and the program's whole group is gone."""
    with hooked(tmp_path, server, shell(WORK, tmp_path)) as daemon:
        wait_told(tmp_path, 1)
        pid = eventually((tmp_path / "pid").read_text, what="its number", retry_on=(OSError,)).strip()
        code, seconds = daemon.stop()
    assert 0 == code
    assert seconds < END_SECONDS
    eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the program is gone")
    assert ["begin 1"] == told(tmp_path)
    assert [] == daemon.lines("hook_ran") + daemon.lines("workers_stuck")


def test_a_reload_ends_the_old_program_and_tells_the_new_one(tmp_path: Path, server: Server) -> None:
    """The change that the old one did not get to the end of is news to its successor; nothing is minted for it."""
    with hooked(tmp_path, server, shell(WORK, tmp_path)) as daemon:
        wait_told(tmp_path, 1)
        pid = eventually((tmp_path / "pid").read_text, what="its number", retry_on=(OSError,)).strip()
        daemon.write(local_tables(server, tmp_path, files=shell(NOTE, tmp_path)))
        os.kill(daemon.pid, signal.SIGHUP)
        fingerprint = daemon.ask("/v1/tokens/deploy")[1]["fingerprint"]
        assert ["begin 1", f"1 {fingerprint}"] == wait_told(tmp_path, 2)
        eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the old program is gone")
        assert 1 == server.ledger.count("token")


@pytest.mark.publishing
def test_after_a_restart_only_a_change_is_told(tmp_path: Path, server: Server) -> None:
    """The same token from the cache is none, nor is a file that has to be put back; a new token is one."""
    write_key(tmp_path / "cache-key")
    cache = KEY_FILE.format(directory=tmp_path)
    with hooked(tmp_path, server, shell(NOTE, tmp_path), cache=cache) as daemon:
        wait_told(tmp_path, 1)
        eventually(lambda: daemon.metric("hook_runs_total", outcome="success"), what="the hook's end")
        eventually(lambda: entry_of(daemon).exists(), what="the entry in the cache")
        killed(daemon)
        daemon.start()
        daemon.wait_for(state="fresh", condition="ok")
        eventually(
            lambda: 2 == len([e for e in daemon.lines("published") if e["outcome"] == "success"]), what="both"
        )
        killed(daemon)
        (tmp_path / "run" / "tokens" / "deploy").unlink()
        daemon.start()
        daemon.wait_for(state="fresh", condition="ok")
        eventually((tmp_path / "run" / "tokens" / "deploy").exists, what="the file again")
        fingerprint = renewed(daemon)
        assert [f"2 {fingerprint}"] == wait_told(tmp_path, 2)[1:]


def test_what_a_killed_process_did_not_tell_the_next_one_tells(tmp_path: Path, server: Server) -> None:
    """The token is in the file since before the kill, and comes from the cache: only the program has not heard."""
    write_key(tmp_path / "cache-key")
    cache = KEY_FILE.format(directory=tmp_path)
    with hooked(tmp_path, server, shell(WORK, tmp_path), cache=cache) as daemon:
        wait_told(tmp_path, 1)
        eventually(lambda: entry_of(daemon).exists(), what="the entry in the cache")
        killed(daemon)
        (tmp_path / "go").touch()
        eventually(lambda: "end 1" in told(tmp_path), what="the program outlives the broker")
        daemon.start()
        assert ["begin 1", "end 1", "begin 1", "end 1"] == wait_told(tmp_path, 4)
        assert 1 == server.ledger.count("token")


@pytest.mark.parametrize(("script", "outcome"), [(NOTE, "success"), ("exit 1", "failure")])
def test_once_tells_before_it_ends(tmp_path: Path, server: Server, script: str, outcome: str) -> None:
    """Published is published: a program that fails changes nothing of the exit code."""
    daemon = hooked(tmp_path, server, shell(script, tmp_path))
    done = run_verb("once", "--config", daemon.config)
    assert 0 == done.returncode, done.stderr
    assert f'"outcome":"{outcome}"' in next(line for line in done.stderr.splitlines() if '"hook_ran"' in line)
    assert (outcome == "success") == bool(told(tmp_path))
