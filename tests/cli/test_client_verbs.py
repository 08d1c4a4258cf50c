"""`status`, `wait` and `renew`, from outside, against a scripted socket API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import environment, token_broker
from tests.client.socket_api import always, answer, in_turn, one_token, problem, socket_api


def roster(*names: str, revision: int = 1) -> bytes:
    """The answer of a broker that could not mint any of these yet."""
    records = [
        {
            "name": name,
            "state": "absent",
            "condition": "unreachable",
            "reason": "nobody\x1b[2J answers",
            "revision": revision,
            "issued_at": None,
            "expires_at": None,
            "next_renewal_at": None,
            "secret_version": None,
            "last_error": "transient",
        }
        for name in names
    ]
    return answer(200, json.dumps({"tokens": records}).encode())


def test_status_is_a_table_for_people(socket_file: Path) -> None:
    """A row a token; into a pipe without colours, and never with control characters."""
    with socket_api(socket_file, always(roster("a", "b"))) as api:
        run = token_broker("status", "--socket", str(socket_file), env={"PYTHONIOENCODING": "utf-8"})
    assert (0, ["GET /v1/status"]) == (run.returncode, api.targets())
    assert ["NAME", "a", "└", "b", "└"] == [line.split()[0] for line in run.stdout.splitlines()]
    assert "nobody [2J answers" in run.stdout


def test_status_is_what_the_socket_says_for_programs(socket_file: Path) -> None:
    """One line of JSON with the records as they came."""
    with socket_api(socket_file, always(roster("a", "b"))):
        run = token_broker("status", "--socket", str(socket_file), "--json")
    assert ["a", "b"] == [record["name"] for record in json.loads(run.stdout)["tokens"]]
    assert 1 == run.stdout.count("\n")


def test_status_of_one_token(socket_file: Path) -> None:
    """In the same shape."""
    with socket_api(socket_file, always(roster("a", "b"))):
        run = token_broker("status", "b", "--socket", str(socket_file), "--json")
    assert ["b"] == [record["name"] for record in json.loads(run.stdout)["tokens"]]


def test_status_of_what_may_not_be_read_is_a_denial(socket_file: Path) -> None:
    """Unknown and forbidden are one answer, with the key that would allow it."""
    with socket_api(socket_file, always(roster("a"))):
        run = token_broker("status", "b", "--socket", str(socket_file))
    assert (77, "") == (run.returncode, run.stdout)
    assert "tokens.b.allow" in run.stderr


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tokens": 1}', b'{"tokens": ["a"]}'])
def test_status_of_something_else_is_an_error(socket_file: Path, body: bytes) -> None:
    """Not an empty table."""
    with socket_api(socket_file, always(answer(200, body))):
        run = token_broker("status", "--socket", str(socket_file))
    assert (70, "") == (run.returncode, run.stdout)


def test_wait_ends_once_all_are_usable(socket_file: Path) -> None:
    """Silently, whatever stood in the way at first."""
    refusals = iter([problem(503, "starting"), problem(503, "credential_rejected"), problem(503, "expired")])
    token = one_token()

    def script(head: str) -> bytes:
        return next(refusals, None) or token(head)

    with socket_api(socket_file, script) as api:
        run = token_broker("wait", "deploy", "deploy", "--socket", str(socket_file))
    assert (0, "", "") == (run.returncode, run.stdout, run.stderr)
    assert 5 == len(api.requests)


def test_wait_gives_up_with_the_last_reason(socket_file: Path) -> None:
    """75, also where an operator has to act: he may, and the next wait succeeds."""
    with socket_api(socket_file, always(problem(503, "credential_rejected"))):
        run = token_broker("wait", "deploy", "--timeout", "0.3s", "--socket", str(socket_file))
    assert (75, "") == (run.returncode, run.stdout)
    assert "token-broker: deploy is not usable after 0.3 s: Detail of credential_rejected." in run.stderr


def test_wait_gives_up_on_a_daemon_that_does_not_come(socket_file: Path) -> None:
    """The socket is named."""
    run = token_broker("wait", "deploy", "--timeout", "0.1s", "--socket", str(socket_file))
    assert 75 == run.returncode
    assert str(socket_file) in run.stderr


def test_wait_does_not_wait_for_what_is_not_ours(socket_file: Path) -> None:
    """A mistyped second name is told before the first one is waited for."""

    def script(head: str) -> bytes:
        return problem(503, "starting") if head.startswith("GET /v1/tokens/slow") else problem(403, "denied")

    with socket_api(socket_file, script):
        run = token_broker("wait", "slow", "typo", "--timeout", "1h", "--socket", str(socket_file))
    assert 77 == run.returncode


def test_renew_asks_and_does_not_wait(socket_file: Path) -> None:
    """202 is success."""
    with socket_api(socket_file, always(answer(202, b"{}"))) as api:
        run = token_broker("renew", "deploy", "--socket", str(socket_file))
    assert (0, ["POST /v1/tokens/deploy/renew"]) == (run.returncode, api.targets())
    assert "deploy: renewal asked for\n" == run.stdout


@pytest.mark.parametrize(
    ("reply", "status", "told"),
    [
        (answer(200, b"{}"), 0, "deploy: renewed\n"),
        (answer(202, b"{}"), 75, "token-broker: deploy was not renewed within 5 s; the request is kept"),
        (problem(429, "rate_limited"), 75, "Detail of rate_limited."),
        (problem(403, "denied"), 77, "Detail of denied."),
    ],
)
def test_renew_waits_for_the_answer_where_asked_to(
    socket_file: Path, reply: bytes, status: int, told: str
) -> None:
    """200 says done; 202 says that it was not done in time."""
    with socket_api(socket_file, always(reply)) as api:
        run = token_broker("renew", "deploy", "--wait", "5s", "--socket", str(socket_file))
    assert (status, ["POST /v1/tokens/deploy/renew?wait=5s"]) == (run.returncode, api.targets())
    assert told in run.stdout + run.stderr


def test_renew_waits_longer_than_one_request_may(socket_file: Path) -> None:
    """It asks for the mint once, then watches the revision."""
    script = in_turn(
        roster("deploy", revision=4),
        answer(202, b"{}"),
        roster("deploy", revision=4),
        roster("deploy", revision=5),
    )
    with socket_api(socket_file, script) as api:
        run = token_broker("renew", "deploy", "--wait", "10m", "--socket", str(socket_file))
    assert (0, "deploy: renewed\n") == (run.returncode, run.stdout)
    assert [
        "GET /v1/status",
        "POST /v1/tokens/deploy/renew?wait=30s",
        "GET /v1/status",
        "GET /v1/status",
    ] == api.targets()


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (("get", "deploy", "--format", "json"), one_token()),
        (("status",), always(roster("a"))),
        (("wait", "deploy"), one_token()),
        (("renew", "deploy"), always(answer(202, b"{}"))),
        (("reject", "deploy", "--fingerprint", "0" * 16), always(answer(202, b"{}"))),
        (("status", "--watch"), always(problem(403, "denied"))),
        (("exec", "--token", "deploy", "true"), always(one_token()("GET /v1/tokens/deploy "))),
        (("completion", "--names"), always(roster("a"))),
        (("get", "other"), one_token()),
    ],
)
def test_no_client_verb_loads_an_event_loop_or_a_third_party(
    socket_file: Path, argv: tuple[str, ...], script: Callable[[str], bytes]
) -> None:
    """Also where it fails."""
    program = (
        "import sys; before = set(sys.modules); from broker.cli import main; main(sys.argv[1:]);"
        "print('LOADED', *sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    with socket_api(socket_file, script):
        run = subprocess.run(
            [sys.executable, "-I", "-c", program, *argv, "--socket", str(socket_file)],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    roots = set(run.stdout.rpartition("LOADED ")[2].split())
    assert {"broker"} == roots - set(sys.stdlib_module_names)
    assert set() == roots & {"asyncio", "socket", "ssl", "http", "urllib", "argparse", "dataclasses"}
