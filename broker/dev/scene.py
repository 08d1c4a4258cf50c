"""`token-broker dev`: the main job, played on a development authorization server for whoever watches.

Owns: the plot: a token is minted, published and renewed; the authorization server gets another client secret,
so that a renewal is refused; the secret is stored where the broker looks, and the broker goes on by itself.
Refuses to know: how the daemon works; it is a process of its own, exactly as `token-broker run` would be.
"""

from __future__ import annotations

import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.dev.narrator import Narrator, Record, parse
from broker.dev.stage import CLIENT_ID, TOKEN_NAME, Stage
from broker.model import Secret

LIFETIME_SECONDS = 30
OPS_PORT = 9464

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ROTATE_AFTER_SECONDS = 3.0
_STORE_AFTER_SECONDS = 3.0
_STOP_SECONDS = 8.0
_NAP_SECONDS = 0.2


def dev() -> int:
    """Play under ./run until Ctrl-C; the exit code. Raises StageTaken."""
    for number in _ENDINGS:
        signal.signal(number, signal.default_int_handler)
    stage = Stage(Path("run"))
    try:
        with DevelopmentAuthorizationServer() as server:
            return Scene(stage, server).play()
    except KeyboardInterrupt:
        return os.EX_OK
    finally:
        stage.strike()


class Scene:
    """One performance."""

    def __init__(self, stage: Stage, server: DevelopmentAuthorizationServer) -> None:
        self._stage = stage
        self._server = server
        started = time.monotonic()
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._narrator = Narrator(
            sys.stdout,
            elapsed_seconds=lambda: time.monotonic() - started,
            wall_seconds=time.time,
            shown=_shown,
            colour=colour,
        )
        self._cues: list[tuple[float, Callable[[], None]]] = []
        self._new_secret: Secret | None = None

    def play(self) -> int:
        """Until Ctrl-C, or until the daemon ends by itself; the exit code."""
        ops = f"127.0.0.1:{_free_port(OPS_PORT)}"
        secret = self._server.register(CLIENT_ID, lifetime_seconds=LIFETIME_SECONDS)
        self._stage.furnish(
            ops=ops, discovery_url=self._server.discovery_url, issuer=self._server.issuer, secret=secret
        )
        self._set_out(ops)
        daemon = self._start_daemon()
        try:
            return self._follow(daemon)
        except KeyboardInterrupt:
            self._narrator.say("\nEnding: the broker stops, and what it made is removed.")
            return os.EX_OK
        finally:
            # A second Ctrl-C must not leave the daemon behind.
            for number in _ENDINGS:
                signal.signal(number, signal.SIG_IGN)
            _stop(daemon)

    def _set_out(self, ops: str) -> None:
        say = self._narrator.say
        say(f"Everything is under {self._stage.directory}; Ctrl-C ends it and clears up.")
        say("")
        say(f"  authorization server  {self._server.url}, for development only")
        say(f"  configuration         {_shown(self._stage.config)}")
        say(f"  client secret         {_shown(self._stage.secret)}")
        say(f"  token                 {_shown(self._stage.token)}")
        say(f"  socket                {_shown(self._stage.socket)}")
        say(f"  metrics and health    http://{ops}/metrics")
        say("")

    def _start_daemon(self) -> subprocess.Popen[bytes]:
        # From where this package lies: this very code. In a session of its own: Ctrl-C is for us.
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
            [sys.executable, "-m", "broker", "run", "--config", str(self._stage.config)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self._stage.lock,),
        )

    def _follow(self, daemon: subprocess.Popen[bytes]) -> int:
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_read, args=(daemon, lines), daemon=True).start()
        while True:
            self._play_due_cues()
            try:
                line = lines.get(timeout=_NAP_SECONDS)
            except queue.Empty:
                continue
            if not line:
                code = daemon.wait()
                self._narrator.say(f"The broker ended with exit code {code}.")
                return code or os.EX_SOFTWARE
            heard = parse(line)
            if isinstance(heard, str):
                self._narrator.say(heard)
            else:
                self._narrator.hear(heard)
                self._react(heard)

    def _react(self, record: Record) -> None:
        """The plot. The first renewal is undisturbed, the second one meets the rotation."""
        event, revision = record.get("event"), record.get("revision")
        if event == "published" and revision == 1:
            self._invite()
        elif event == "mint_succeeded" and revision == 2:  # noqa: PLR2004 - the first renewal
            self._after(_ROTATE_AFTER_SECONDS, self._rotate)
        elif event == "mint_failed" and self._new_secret is not None:
            self._after(_STORE_AFTER_SECONDS, self._store)

    def _invite(self) -> None:
        say = self._narrator.say
        say("")
        say("Read the token in another terminal, as often as you like:")
        say("")
        say(f"  cat {shlex.quote(_shown(self._stage.token))}")
        socket_path = shlex.quote(_shown(self._stage.socket))
        say(f"  curl --unix-socket {socket_path} http://localhost/v1/tokens/{TOKEN_NAME}")
        say("")

    def _rotate(self) -> None:
        self._new_secret = self._server.rotate(CLIENT_ID)
        self._narrator.tell(
            "rotated", "the authorization server has a new client secret; the old one is dead"
        )

    def _store(self) -> None:
        if self._new_secret is not None:
            self._stage.store(self._new_secret)
            self._new_secret = None
            self._narrator.tell("stored", f"the new client secret is in {_shown(self._stage.secret)}")

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._cues.append((time.monotonic() + seconds, action))

    def _play_due_cues(self) -> None:
        now = time.monotonic()
        due = [action for at, action in self._cues if at <= now]
        self._cues = [(at, action) for at, action in self._cues if at > now]
        for action in due:
            action()


def _read(daemon: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    """Pass on what the daemon says, and an empty line when it is over."""
    if daemon.stderr is not None:
        for line in daemon.stderr:
            lines.put(line)
    lines.put(b"")


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _shown(path: str | Path) -> str:
    """As one would type it here."""
    try:
        return f"./{Path(path).relative_to(Path.cwd())}"
    except ValueError:
        return str(path)


def _free_port(wanted: int) -> int:
    """`wanted` if nobody has it, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise OSError("no free port on 127.0.0.1")
