"""`token-broker completion`: the scripts offer what the verbs take, and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from broker.cli import VERBS
from broker.cli.completion import SHELLS, commands
from broker.cli.options import Choice, Command
from tests.cli.command import environment, token_broker
from tests.client.fake_broker import fake_broker
from tests.packaging.project import ROOT

COMMANDS = {command.name: command for command in commands()}

ASK = """\
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_token_broker
((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
exit 0
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, as it is printed."""
    file = tmp_path_factory.mktemp("completion") / "token-broker.bash"
    file.write_text(token_broker("completion", "bash").stdout)
    return file


def offered(script: Path, *words: str, cwd: Path, socket: Path | None = None) -> set[str]:
    """What bash offers for the last of `words`."""
    command = cwd / "token-broker"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m broker "$@"\n')
    command.chmod(0o755)
    run = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", ASK, "bash", str(script), str(command), *words],
        cwd=cwd,
        env=environment(TOKEN_BROKER_SOCKET=str(socket or cwd / "none"), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == run.stderr
    return set(run.stdout.splitlines())


def test_the_verbs_are_those_of_the_command(script: Path, tmp_path: Path) -> None:
    """All of them for nothing, those that begin so for a beginning."""
    assert set(VERBS) == set(COMMANDS) == offered(script, "", cwd=tmp_path)
    assert {"reject", "renew"} == offered(script, "re", cwd=tmp_path)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_options_are_those_that_the_verb_takes(script: Path, tmp_path: Path, verb: str) -> None:
    """The parser's own declaration is what bash offers."""
    expected = {option.name for option in COMMANDS[verb].options} | {"--help"}
    assert expected == offered(script, verb, "--", cwd=tmp_path)


@pytest.mark.parametrize("words", [["--format", ""], ["--format", "=", ""], ["--format", "="]])
def test_choices_are_offered(script: Path, tmp_path: Path, words: list[str]) -> None:
    """Also after an equals sign, which bash makes a word of its own."""
    (choice,) = [option for option in COMMANDS["get"].options if isinstance(option, Choice)]
    assert set(choice.choices) == offered(script, "get", *words, cwd=tmp_path)


@pytest.mark.parametrize(
    "words", [["get", ""], ["renew", "--wait", "5s", ""], ["exec", "--token", ""], ["wait", "deploy", ""]]
)
def test_names_come_from_the_broker(
    script: Path, tmp_path: Path, socket_file: Path, words: list[str]
) -> None:
    """Those that this user may read."""
    with fake_broker(socket_file, "deploy", "registry"):
        assert {"deploy", "registry"} == offered(script, *words, cwd=tmp_path, socket=socket_file)


def test_without_a_broker_nothing_is_offered_and_nothing_said(script: Path, tmp_path: Path) -> None:
    """Somebody is in the middle of a line."""
    assert set() == offered(script, "get", "", cwd=tmp_path)


def test_files_and_free_text(script: Path, tmp_path: Path) -> None:
    """A path is completed, a duration is not."""
    (tmp_path / "broker.toml").touch()
    assert {"broker.toml"} == offered(script, "run", "--config", "bro", cwd=tmp_path)
    assert set() == offered(script, "get", "--min-valid", "", cwd=tmp_path)
    assert set(SHELLS) == offered(script, "completion", "", cwd=tmp_path)


def test_behind_the_dashes_is_another_programs_line(script: Path, tmp_path: Path) -> None:
    """First a program, then its files; our own options are over."""
    (tmp_path / "--token").touch()
    assert "dirname" in offered(script, "exec", "--token", "a", "--", "dirnam", cwd=tmp_path)
    assert {"--token"} == offered(script, "exec", "--token", "a", "--", "ls", "--to", cwd=tmp_path)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_told_the_same(shell: str) -> None:
    """Each verb with each of its options, made from the same declaration."""
    text = token_broker("completion", shell).stdout
    for command in COMMANDS.values():
        block = _block(shell, text, command)
        for option in command.options:
            assert (f"{option.name}[" if shell == "zsh" else f" -l {option.name[2:]} ") in block.replace(
                "=[", "["
            )


def _block(shell: str, text: str, command: Command) -> str:
    if shell == "zsh":
        return text.split(f"\n    {command.name})\n", 1)[1].split(" ;;\n", 1)[0]
    return "".join(
        line for line in text.splitlines() if f"__fish_seen_subcommand_from {command.name}'" in line
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_well_formed_where_its_shell_is_installed(shell: str, tmp_path: Path) -> None:
    """Bash always is; the others are asked if they are there."""
    file = tmp_path / shell
    file.write_text(token_broker("completion", shell).stdout)
    for directory in os.get_exec_path():
        program = Path(directory) / shell
        if program.exists():
            run = subprocess.run([program, "-n", file], capture_output=True, text=True, check=False)
            assert (0, "") == (run.returncode, run.stderr)
            return
    assert shell != "bash"


@pytest.mark.parametrize(
    ("argv", "message"),
    [((), "which shell?"), (("bsh",), "did you mean 'bash'?"), (("tcsh", "x"), "unexpected argument")],
)
def test_another_shell_is_a_mistake(argv: tuple[str, ...], message: str) -> None:
    """64, with the ones there are."""
    run = token_broker("completion", *argv)
    assert (64, "") == (run.returncode, run.stdout)
    assert message in run.stderr
