"""Completion at the keyboard: words are begun, the tab key is pressed, and the shell runs what stands there then."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cache import require
from tests.cli.command import environment, token_broker
from tests.client.fake_broker import fake_broker
from tests.packaging.project import ROOT
from tests.waiting import eventually

pytestmark = pytest.mark.sockets

READY = "a-shell-is-ready"
STARTS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
SETUPS = {
    "bash": "source {script}; PS1='$ '; ",
    "zsh": "autoload -Uz compinit; compinit -D -u; source {script}; PS1='$ '; ",
    "fish": "source {script}; ",
}


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, keyboard: int) -> None:
        self._keyboard = keyboard
        self.shown = b""

    def type(self, text: str) -> None:
        """As somebody at the keyboard does."""
        os.write(self._keyboard, text.encode())

    def read(self) -> None:
        """Everything it shows, to its end."""
        try:
            while chunk := os.read(self._keyboard, 4096):
                self.shown += chunk
        except OSError:  # how Linux tells the end of a terminal
            return


@contextmanager
def interactive(shell: str, directory: Path, socket: Path) -> Iterator[Shell]:
    """The shell with our script read, in a directory where `token-broker` writes down what it is told."""
    program = require(shell, f"apt-get install {shell}")
    script = directory / f"script.{shell}"
    script.write_text(token_broker("completion", shell).stdout)
    command = directory / "token-broker"
    command.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = completion ] && exec {shlex.quote(sys.executable)} -m broker "$@"\n'
        f'echo "$@" >> {shlex.quote(str(directory / "told"))}\n'
    )
    command.chmod(0o755)
    ours, theirs = pty.openpty()
    terminal = Shell(ours)
    reader = threading.Thread(target=terminal.read)
    process = subprocess.Popen(
        [require("setsid", "apt-get install util-linux"), "--ctty", program, *STARTS[shell]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env=environment(
            TOKEN_BROKER_SOCKET=str(socket),
            PYTHONPATH=str(ROOT),
            PATH=f"{directory}:{os.environ['PATH']}",
            HOME=str(directory),
            TERM="xterm",
        ),
    )
    os.close(theirs)
    reader.start()
    try:
        eventually(lambda: terminal.shown, what="a prompt", timeout=30)
        terminal.type(f"{SETUPS[shell].format(script=script)}echo {READY[:5]}''{READY[5:]}\r")
        eventually(lambda: READY.encode() in terminal.shown, what="the script is read", timeout=30)
        yield terminal
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


@pytest.mark.parametrize("shell", sorted(STARTS))
def test_the_tab_key_completes(shell: str, tmp_path: Path, socket_file: Path) -> None:
    """Verbs, options, their values, and names that come from the broker."""
    lines = {
        "token-broker st\t--wat\t\r": "status --watch",
        "token-broker get dep\t--form\tcu\t\r": "get deploy --format curl",
        "token-broker exec --token reg\t-- ls\r": "exec --token registry -- ls",
    }
    told = tmp_path / "told"
    with (
        fake_broker(socket_file, "deploy", "registry"),
        interactive(shell, tmp_path, socket_file) as terminal,
    ):
        for count, (typed, expected) in enumerate(lines.items(), start=1):
            terminal.type(typed)
            found = eventually(
                lambda count=count: (said := told.read_text().splitlines())[count - 1 : count] and said,  # type: ignore[misc]  # bound at once
                what=f"{expected} after {terminal.shown[-300:]!r}",
                timeout=30,
                retry_on=(OSError,),
            )
            assert expected == found[-1].replace("=", " ")
