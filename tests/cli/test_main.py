"""The command as a whole: verbs, help, exit codes of last resort."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from broker.cli import VERBS, main
from broker.cli.failure import explain
from broker.cli.options import seconds
from tests.cli.command import COMMAND, environment, token_broker
from tests.client.socket_api import always, one_token, problem, socket_api
from tests.packaging.project import ROOT
from tests.waiting import eventually


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/interface.md 2: `--help` on each verb shows an example."""
    assert 0 == main([verb, "--help"])
    text = capsys.readouterr().out
    assert text.startswith(f"usage: token-broker {verb}")
    assert f"example:\n  token-broker {verb}" in text


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_the_command_explains_itself(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every verb is listed, with what it does."""
    assert 0 == main([word])
    text = capsys.readouterr().out
    for verb, summary in VERBS.items():
        assert f"{verb:<10} {summary}" in text


def test_without_a_verb_the_help_is_the_answer_and_an_error() -> None:
    """A script that lost its arguments must not go on."""
    run = token_broker()
    assert (64, "") == (run.returncode, run.stdout)
    assert run.stderr.startswith("usage: token-broker VERB")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("gett",), "there is no verb 'gett'; did you mean 'get'?"),
        (("--verison",), "there is no option '--verison'"),
        (("get", "deploy", "--formt", "env"), "there is no option '--formt'; did you mean '--format'?"),
        (("status", "a", "b"), "unexpected argument 'b'"),
    ],
)
def test_a_mistyped_command_line_is_one_line_and_64(argv: tuple[str, ...], message: str) -> None:
    """With what was probably meant."""
    run = token_broker(*argv)
    assert (64, "") == (run.returncode, run.stdout)
    assert message in run.stderr
    assert 1 == run.stderr.count("\n")


def test_version_says_what_is_installed_and_what_it_runs_on() -> None:
    """For people, and as an object."""
    run = token_broker("version")
    facts = json.loads(token_broker("version", "--json").stdout)
    assert 0 == run.returncode
    assert run.stdout == token_broker("--version").stdout
    assert run.stdout.startswith(
        f"token-broker {facts['version']} ({facts['implementation']} {facts['python']}, "
    )


def test_plugins_are_listed_with_their_origin() -> None:
    """A table for people, objects for programs, the same contents."""
    listed = json.loads(token_broker("plugins", "--json").stdout)
    assert {"vault", "aws-secrets-manager", "file"} <= {
        p["name"] for p in listed if p["kind"] == "secret_backend"
    }
    table = token_broker("plugins").stdout
    assert len(listed) + 1 == table.count("\n")
    for plugin in listed:
        assert plugin["origin"] in table


@pytest.mark.parametrize("argv", [("plugins",), ("version", "--json"), ("--help",), ()])
def test_the_installed_script_says_the_same(argv: tuple[str, ...]) -> None:
    """It ends the process itself, which must not cost a byte of what was written."""
    script = [sys.executable, str(ROOT / "broker/bin/token-broker"), *argv]
    run = subprocess.run(
        script, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=False
    )
    expected = token_broker(*argv)
    assert (expected.returncode, expected.stdout, expected.stderr) == (run.returncode, run.stdout, run.stderr)


def test_an_unexpected_exception_is_told_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    """R-156: its text could hold a value."""
    with pytest.raises(AttributeError) as caught:
        seconds(cast("str", None))
    caught.value.args = ("S3CR3T-in-the-text",)
    assert 70 == explain(caught.value)
    told = capsys.readouterr().err
    assert "internal error: AttributeError at broker.cli.options:" in told
    assert "S3CR3T" not in told


def test_interrupted_is_130_without_a_word(socket_file: Path) -> None:
    """Ctrl-C while it waits."""
    argv = [*COMMAND, "wait", "deploy", "--socket", str(socket_file)]
    with (
        socket_api(socket_file, always(problem(503, "starting"))) as api,
        subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child,
    ):
        eventually(lambda: api.requests, what="the verb runs")
        child.send_signal(signal.SIGINT)
        output = child.communicate()
    assert (130, (b"", b"")) == (child.returncode, output)


def test_a_reader_that_went_away_ends_the_verb_quietly() -> None:
    """As `| head` does; the exit code is what a shell reports for SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [*COMMAND, "plugins"], env=environment(), stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (141, b"") == (run.returncode, run.stderr)


def test_a_full_disk_is_an_error(socket_file: Path) -> None:
    """A token that could not be written must not look like success."""
    with socket_api(socket_file, one_token()), Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [*COMMAND, "get", "deploy", "--socket", str(socket_file)],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (70, b"token-broker: No space left on device\n") == (run.returncode, run.stderr)
