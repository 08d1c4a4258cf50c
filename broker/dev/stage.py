"""The directory in which `token-broker dev` plays: claimed, furnished, and cleared away.

Owns: every file under it that the daemon does not write, and the certainty that nothing else is ever deleted.
Refuses to know: processes, what happens when.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

from broker.errors import BrokerError
from broker.model import Secret

CLIENT_ID = "dev"
TOKEN_NAME = "dev"

_MARKER = ".token-broker-dev"
_CONFIG = """\
# Written by `token-broker dev`, and removed when it ends.
[broker]
runtime_dir = {directory}
state_dir = {state_dir}

[ops]
listen = "{ops}"

[secret_backends.local]
type = "file"
directory = {secrets}

[authorization_servers.local]
discovery_url = "{discovery_url}"
issuer = "{issuer}"
token_endpoint_hosts = ["127.0.0.1"]
allow_insecure_loopback = true

[tokens.{token}]
authorization_server = "local"
client_id = {{ backend = "local", path = "dev.json", field = "client_id" }}
client_secret = {{ backend = "local", path = "dev.json", field = "client_secret" }}
min_lifetime = "10s"
poll_secret_version = "2s"

[[tokens.{token}.files]]
path = "tokens/{token}"
"""


class StageTaken(BrokerError):
    """The directory belongs to somebody else."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "already_running"


class Stage:
    """`directory` while it is ours. `lock` is a descriptor: whoever holds a copy of it holds the stage."""

    def __init__(self, directory: Path) -> None:
        """Claims it. Raises StageTaken if it holds anything that an earlier stage did not leave."""
        self.directory = directory.resolve()
        self.config = self.directory / "config.toml"
        self.secret = self.directory / "secrets" / "dev.json"
        self.token = self.directory / "tokens" / TOKEN_NAME
        self.socket = self.directory / "token-broker.sock"
        self.lock = self._claim()
        self._clear()

    def furnish(self, *, ops: str, discovery_url: str, issuer: str, secret: Secret) -> None:
        """Write the configuration and the client secret."""
        (self.directory / ".gitignore").write_text("*\n", encoding="ascii")
        self.secret.parent.mkdir(mode=0o700)
        self.store(secret)
        config = _CONFIG.format(
            directory=_toml(self.directory),
            state_dir=_toml(self.directory / "state"),
            secrets=_toml(self.secret.parent),
            ops=ops,
            discovery_url=discovery_url,
            issuer=issuer,
            token=TOKEN_NAME,
        )
        self.config.write_text(config, encoding="utf-8")

    def store(self, secret: Secret) -> None:
        """Put the client secret where the daemon reads it, as a whole."""
        document = json.dumps({"client_id": CLIENT_ID, "client_secret": secret.reveal()}).encode()
        new = self.secret.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600, exist_ok=False)
        new.write_bytes(document)
        new.replace(self.secret)

    def strike(self) -> None:
        """Remove everything, the directory too; fine if somebody was faster."""
        with contextlib.suppress(FileNotFoundError):
            self._clear()
            (self.directory / _MARKER).unlink()
        with contextlib.suppress(OSError):  # gone, or somebody put something there meanwhile: that is theirs
            self.directory.rmdir()
        os.close(self.lock)

    def _claim(self) -> int:
        with contextlib.suppress(FileExistsError):
            self.directory.mkdir(mode=0o700)
        marker = self.directory / _MARKER
        if any(self.directory.iterdir()) and not marker.is_file():
            raise StageTaken(
                f"{self.directory} holds files that are not of `token-broker dev`, which would remove them: "
                "move it away, or start in another directory"
            )
        lock = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StageTaken(f"another `token-broker dev` plays in {self.directory}: end it first") from None
        return lock

    def _clear(self) -> None:
        for entry in self.directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _MARKER:
                entry.unlink()


def _toml(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
