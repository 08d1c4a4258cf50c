"""What readers of a daemon's outputs see: the token in its file, the samples of a scrape.

Owns: the waiting for a file, and the parsing of a whole scrape. Refuses to know: which servers stand behind.
"""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.running import Daemon
from tests.waiting import eventually


def published(daemon: Daemon, token: str, *, name: str = "deploy") -> str:
    """Wait until the token file of `name` holds exactly this token; answers it."""
    file = daemon.directory / "run" / "tokens" / name

    def found() -> str:
        return token if file.exists() and file.read_text() == token else ""

    return eventually(found, what=f"the token in {file}")


def served(daemon: Daemon, *, name: str = "deploy") -> str:
    """The token that the socket serves."""
    status, token = daemon.ask(f"/v1/tokens/{name}", accept="text/plain")
    assert 200 == status
    assert isinstance(token, str)
    return token


def scrape(daemon: Daemon) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of /metrics by its name, without prefix, and its labels."""
    return {
        (sample.name.removeprefix("token_broker_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(daemon.ops("/metrics")[1])
        for sample in family.samples
    }
