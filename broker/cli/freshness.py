"""Keeping token files fresh while a program runs.

Owns: the thread that follows the broker's changes, and writes a token when there is a new revision of it. Refuses
to know: the program. Trouble is told once, and changes nothing else: the program has a token, and may not need
another.
"""

from threading import Thread

from broker.cli.streams import complain
from broker.cli.token_files import TokenFiles
from broker.client.errors import TokenClientError
from broker.client.fetch import fetch
from broker.client.pause import pause
from broker.client.token import Token, parse
from broker.client.watch import Watch

_RECONNECT_SECONDS = 1.0
_QUIET_SECONDS = 60.0
"""Without a word for so long, the tokens are read all the same."""


class Freshness:
    """Writes each new revision of these tokens to its file."""

    def __init__(self, socket_path: str, files: TokenFiles, tokens: dict[str, Token]) -> None:
        self._socket_path = socket_path
        self._files = files
        self._written = {name: token.fingerprint for name, token in tokens.items()}
        self._revisions = {name: token.revision for name, token in tokens.items()}
        self._complained = False

    def start(self) -> None:
        """Begin. The thread ends with the process."""
        Thread(target=self._run, name="freshness", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                # Also where the watch is closed to us: reading every second is soon enough.
                self._read(list(self._written))
                self._follow()
            except (TokenClientError, OSError) as error:
                if not self._complained:
                    complain(f"token-broker: tokens may become stale: {error}")
                self._complained = True
            pause(_RECONNECT_SECONDS)

    def _follow(self) -> None:
        watch = Watch(self._socket_path)
        try:
            while True:
                records = watch.read(timeout_seconds=_QUIET_SECONDS)
                self._complained = False
                changed = [
                    str(record["name"])
                    for record in records
                    if record["name"] in self._revisions
                    and record.get("revision") != self._revisions[str(record["name"])]
                ]
                self._read(changed if records else list(self._written))
        finally:
            watch.close()

    def _read(self, names: list[str]) -> None:
        for name in names:
            try:
                token = parse(fetch(self._socket_path, name, accept="application/json"))
            except TokenClientError:
                continue  # the next change, or the next second, comes with another chance
            if token.fingerprint != self._written[name]:
                self._files.write(name, token.access_token)
                self._written[name] = token.fingerprint
            self._revisions[name] = token.revision
