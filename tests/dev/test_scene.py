"""`token-broker dev` from outside: the whole performance."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]


class Performance:
    """A running `dev`; `shown` is what it has printed."""

    def __init__(self, directory: Path) -> None:
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "broker", "dev"],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, pattern: str, *, timeout: float) -> re.Match[str]:
        """The first place where the output so far matches."""
        found = eventually(
            lambda: list(re.finditer(pattern, self.shown, re.MULTILINE)),
            timeout=timeout,
            what=f"{pattern!r} in the output",
        )
        return found[0]

    def end(self, number: int) -> int:
        """Send a signal; the exit code."""
        self._process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end."""
        code = self._process.wait(60)
        self._reader.join()
        return code

    def kill(self) -> None:
        """Nothing stays behind a failed test: SIGINT first, the daemon is its child."""
        if self._process.poll() is None:
            self.end(signal.SIGINT)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            for line in out:
                self.shown += line


@contextmanager
def performance(directory: Path) -> Iterator[Performance]:
    """`dev` running in this directory."""
    played = Performance(directory)
    try:
        yield played
    finally:
        played.kill()


@pytest.mark.slow
def test_a_token_is_minted_renewed_and_minted_again_with_a_rotated_secret(tmp_path: Path) -> None:
    """The two commands work as printed, no secret is shown, Ctrl-C leaves nothing."""
    with performance(tmp_path) as dev:
        cat = dev.until(r"^  (cat \./run/tokens/dev)$", timeout=60)
        curl = dev.until(
            r"^  (curl --unix-socket \./run/token-broker\.sock http://localhost/v1/tokens/dev)$", timeout=60
        )
        token = subprocess.run(shlex.split(cat[1]), cwd=tmp_path, capture_output=True, check=True).stdout
        answer = subprocess.run(shlex.split(curl[1]), cwd=tmp_path, capture_output=True, check=True).stdout
        assert token.decode() == json.loads(answer)["access_token"]

        for event in ("renewed ", "rotated ", "refused ", "kept ", "stored ", "noticed ", "recovered "):
            dev.until(rf"^ +\d+ s  {event}", timeout=90)
        for secret in (token.decode(), (tmp_path / "run/tokens/dev").read_text()):
            assert secret not in dev.shown
        assert json.loads((tmp_path / "run/secrets/dev.json").read_text())["client_secret"] not in dev.shown
        assert 0 == dev.end(signal.SIGINT)
    assert [] == list(tmp_path.iterdir())


def test_two_at_once_have_a_stage_and_a_port_each_and_a_third_is_told(tmp_path: Path) -> None:
    """The port of the documentation may be taken; the directory may not be."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    metrics = r"http://127\.0\.0\.1:(\d+)/metrics"
    with performance(tmp_path / "a") as first:
        first.until(r"^  cat ", timeout=60)
        with performance(tmp_path / "b") as second:
            second.until(r"^  cat ", timeout=60)
            assert first.until(metrics, timeout=0)[1] != second.until(metrics, timeout=0)[1]
            assert 0 == second.end(signal.SIGHUP)
        with performance(tmp_path / "a") as third:
            third.until("another `token-broker dev` plays in", timeout=60)
            assert 73 == third.exit_code()
        assert 0 == first.end(signal.SIGTERM)
    assert [] == [*(tmp_path / "a").iterdir(), *(tmp_path / "b").iterdir()]
