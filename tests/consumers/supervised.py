"""A program that reads its token at its start, below something that starts it again whenever it has ended.

Owns: what systemd would do for a unit with `Restart=always`, and a `systemctl` that knows one command. Refuses to know:
who gives that command.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.consumers.programs import Complaints, looped
from tests.consumers.stage import Part
from tests.daemon.running import environment

_SYSTEMCTL: Final = """\
#!/bin/sh
[ "$*" = "try-restart app.service" ] || exit 64
kill "$(cat {place}/app.pid)"
"""


@contextmanager
def restarted(part: Part) -> Iterator[Complaints]:
    """The recipe's program, ended by the broker's hook and started again; complains of what it prints."""
    part.file("systemctl", _SYSTEMCTL.format(place=part.place), mode=0o700)
    service = _Service(part)
    try:
        yield service.complaints
    finally:
        service.stop()


class _Service:
    def __init__(self, part: Part) -> None:
        self.complaints: Complaints = []
        self._part = part
        self._argv = looped(part.file("app.py", part.text("python")))
        self._log = part.place / "log"
        self._lock = threading.Lock()
        self._stopping = False
        self._process = self._started()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """End it for good."""
        with self._lock:
            self._stopping = True
            self._process.terminate()
        self._keeper.join()
        self.complaints += self._log.read_text().splitlines()

    def _keep(self) -> None:
        while True:
            self._process.wait()
            self._process.communicate()
            with self._lock:
                if self._stopping:
                    return
                self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as errors:
            process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment()
            )
        self._part.file("app.pid", str(process.pid))
        return process
