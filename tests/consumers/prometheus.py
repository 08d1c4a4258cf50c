"""Prometheus, scraping the API twice a second.

Owns: its start, its end, and what it stored about its scrapes. Refuses to know: which token is current.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlencode

from tests.cache import require
from tests.consumers.programs import Complaints
from tests.consumers.stage import Part
from tests.daemon.running import environment
from tests.servers.http import ask
from tests.servers.process import Child, free_port

_GLOBAL: Final = "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n"
# Not those that only took too long, half a second: then the machine was busy, and no token was judged.
_FAILED: Final = urlencode(
    {"query": "count_over_time((up == 0 and scrape_duration_seconds < 0.5)[1h:100ms])"}
)


@contextmanager
def prometheus(part: Part) -> Iterator[Complaints]:
    """A running one; complains of scrapes that it stored as failed."""
    program = require("prometheus", "apt-get install prometheus")
    port = free_port()
    configuration = part.file("prometheus.yml", _GLOBAL + part.text("yaml"))
    child = Child(
        [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={part.place}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        env=environment(),
        log=part.place / "log",
    )
    complaints: Complaints = []
    try:
        yield complaints
        answer = ask("GET", f"http://127.0.0.1:{port}/api/v1/query?{_FAILED}").json
        complaints += ["scrapes failed" for _ in answer["data"]["result"]]
    finally:
        child.stop()
