"""What a drill's programs do: twenty of them read the token from file and socket, and call an API with it.

Owns: the readers and the count of their calls. Refuses to know: how a token is judged; the API is a function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.daemon.running import Daemon
from tests.servers.keycloak import Keycloak

READERS = 20
SECONDS_BETWEEN_CALLS = 1.0


class Readers:
    """Half of them read the file, half the socket; each calls the API once a second."""

    def __init__(self, daemon: Daemon, api: Callable[[str], bool]) -> None:
        self._daemon = daemon
        self._api = api
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(READERS)
        ]
        self.calls = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def failed_since(self) -> list[str]:
        """The failures until now; forgets them."""
        with self._lock:
            found, self.failures = self.failures, []
        return found

    def _run(self, number: int) -> None:
        self._stop.wait(number / READERS * SECONDS_BETWEEN_CALLS)
        while not self._stop.wait(SECONDS_BETWEEN_CALLS):
            where = "file" if number % 2 else "socket"
            try:
                good = self._api(self._read(where))
                why = "" if good else "refused"
            except (OSError, LookupError, ValueError) as error:
                good, why = False, type(error).__name__
            with self._lock:
                self.calls += 1
                if not good:
                    self.failures.append(f"{where}: {why}")

    def _read(self, where: str) -> str:
        if where == "file":
            return Path(self._daemon.directory, "run", "tokens", "deploy").read_text()
        status, token = self._daemon.ask("/v1/tokens/deploy", accept="text/plain")
        if status != 200:
            raise LookupError
        return str(token)


def introspecting(keycloak: Keycloak) -> Callable[[str], bool]:
    """An API that asks Keycloak about each token."""
    return lambda token: keycloak.introspect(token)["active"] is True


def verifying(keycloak: Keycloak) -> Callable[[str], bool]:
    """An API that checks signature and `exp` with keys that were fetched before."""
    keys = KeySet.import_key_set(keycloak.get(f"{keycloak.issuer}/protocol/openid-connect/certs").json)
    claims = jwt.JWTClaimsRegistry(exp={"essential": True}, iss={"essential": True, "value": keycloak.issuer})

    def api(token: str) -> bool:
        with suppress(ValueError):
            claims.validate(jwt.decode(token, keys).claims)
            return True
        return False

    return api
