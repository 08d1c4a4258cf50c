"""`token-broker reject`, from outside."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cli.command import token_broker
from tests.client.fake_broker import fake_broker
from tests.client.socket_api import always, problem, socket_api


def test_the_current_token_is_reported(socket_file: Path) -> None:
    """Its fingerprint is read first; the request was made now."""
    with fake_broker(socket_file) as broker:
        fingerprint, before = broker.fingerprint(), time.time()
        run = token_broker("reject", "deploy", "--socket", str(socket_file))
    assert (0, "deploy: a new token is being minted\n", "") == (run.returncode, run.stdout, run.stderr)
    (report,) = broker.reports
    requested_at = report.pop("requested_at")
    assert {"fingerprint": fingerprint} == report
    assert isinstance(requested_at, int)
    assert before <= requested_at <= time.time() + 1
    assert 2 == broker.revisions["deploy"]


def test_another_token_and_time_may_be_named(socket_file: Path) -> None:
    """By who has seen the refusal in a log, later; then nothing is read."""
    fingerprint = "0123456789abcdef"
    words = ("--fingerprint", fingerprint.upper(), "--requested-at", "1700000000")
    with fake_broker(socket_file) as broker:
        run = token_broker("reject", "deploy", *words, "--socket", str(socket_file))
    assert [{"fingerprint": fingerprint, "requested_at": 1_700_000_000}] == broker.reports
    assert ["POST /v1/tokens/deploy/reject"] == broker.requests
    assert 0 == run.returncode
    assert "not the current token" in run.stdout


def test_a_request_older_than_the_token_is_told(socket_file: Path) -> None:
    """Nothing was done, and nothing has to be."""
    with fake_broker(socket_file) as broker:
        broker.reject_answer = (200, {"outcome": "too_old"})
        run = token_broker("reject", "deploy", "--requested-at", "1.5", "--socket", str(socket_file))
    assert 0 == run.returncode
    assert "older than the current token" in run.stdout


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(429, "rate_limited", 75), (403, "denied", 77), (404, "not_found", 70)]
)
def test_a_refused_report_has_its_exit_code(socket_file: Path, status: int, code: str, expected: int) -> None:
    """docs/interface.md 7."""
    with socket_api(socket_file, always(problem(status, code))):
        run = token_broker("reject", "deploy", "--fingerprint", "0" * 16, "--socket", str(socket_file))
    assert (expected, "") == (run.returncode, run.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ("--fingerprint", "0123"),
        ("--fingerprint", "x" * 16),
        ("--requested-at", "yesterday"),
        ("--requested-at", "-1"),
        ("--requested-at", "1e9"),
        ("--requested-at", "1."),
    ],
)
def test_what_cannot_be_reported_is_a_mistake(socket_file: Path, words: tuple[str, str]) -> None:
    """64, before anything is sent; a token given for its fingerprint is not repeated."""
    with fake_broker(socket_file) as broker:
        run = token_broker("reject", "deploy", *words, "--socket", str(socket_file))
    assert (64, "", []) == (run.returncode, run.stdout, broker.requests)
    assert words[1] not in run.stderr or words[0] != "--fingerprint"
