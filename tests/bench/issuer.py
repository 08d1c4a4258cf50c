"""The development authorization server as a process, so that what it costs is not on the daemon's account.

usage: python -m tests.bench.issuer FILE LIFETIME_SECONDS

Writes its token endpoint and the secret of the client `bench` to FILE.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer


def serve(announce: Path, lifetime_seconds: int) -> None:
    """Serve until SIGTERM."""
    with DevelopmentAuthorizationServer() as server:
        secret = server.register("bench", lifetime_seconds=lifetime_seconds).reveal()
        whole = announce.with_suffix(".new")
        whole.write_text(json.dumps({"token_endpoint": server.token_endpoint, "client_secret": secret}))
        whole.replace(announce)
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    serve(Path(sys.argv[1]), int(sys.argv[2]))
