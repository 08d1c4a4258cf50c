"""moto, an imitation of AWS, as a server: Secrets Manager and STS as far as the happy path goes.

Owns the start of the server and a client of the operator. Trust it with secrets, versions, stages, batches and the
grammar of policies, not with rights, throttling or limits: it enforces none, and any key, role, external id or web
identity is good enough for STS. After UpdateSecretVersionStage it answers a read without VersionStage, and a batch,
from the wrong version, so rotate with PutSecretValue.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import botocore.session

from tests.servers.http import ask
from tests.servers.process import Child

START_TIMEOUT_SECONDS: Final = 60.0
REGION: Final = "eu-west-1"
ACCESS_KEY_ID: Final = "AKIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY: Final = "S3CR3T-aws-secret-access-key"
_LISTENING: Final = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


class Moto:
    """One running server; any credentials are good enough for it."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.url = child.wait_until(
            self._printed_url, timeout=START_TIMEOUT_SECONDS, what="moto printed its port"
        )
        child.wait_until(self._answers, timeout=START_TIMEOUT_SECONDS, what="moto answers")

    def client(self, service: str) -> Any:
        """A botocore client with dummy credentials that reads no file and no profile of this user."""
        nothing = (None, None, os.devnull, None)
        variables = {"profile": (None,) * 4, "config_file": nothing, "credentials_file": nothing}
        session = botocore.session.Session(session_vars=variables)
        return session.create_client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The credential variables that a broker under test needs; nothing else of AWS counts for it."""
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}

    def reset(self) -> None:
        """Forget every secret."""
        ask("POST", f"{self.url}/moto-api/reset")

    def stop(self) -> None:
        self._child.stop()

    def _printed_url(self) -> str:
        found = _LISTENING.search(self._child.log.read_text(errors="replace"))
        return found[1] if found else ""

    def _answers(self) -> bool:
        return ask("GET", f"{self.url}/moto-api/").status == 200


@contextmanager
def running_moto(directory: Path) -> Iterator[Moto]:
    """A server of one's own, with its log in ``directory``."""
    # Port 0: the kernel picks, the log says which, and no other process can come between.
    child = Child(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        env={"PATH": os.defpath, "HOME": str(directory), "PYTHONUNBUFFERED": "1"},
        log=directory / "moto.log",
    )
    server = Moto(child)
    try:
        yield server
    finally:
        server.stop()
