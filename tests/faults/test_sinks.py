"""One healthy token file among sinks of a third party that hang, explode and fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import END_SECONDS, Daemon, local_tables, store
from tests.faults import sinks
from tests.faults.daemons import UNDISTURBED_SECONDS, renewed
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer
HANGING = 24


def daemon_with(directory: Path, server: Server, tables: str) -> Daemon:
    """A daemon with the token `deploy`, its file, and these sinks; not started yet."""
    store(directory, server.register("deploy").reveal())
    return Daemon(directory, local_tables(server, directory) + tables, extra=sinks.install(directory))


def follows(daemon: Daemon, published: Path) -> None:
    """The file has the current token long before a sink that hangs is given up on."""
    current = daemon.ask("/v1/tokens/deploy", Accept="text/plain")[1]
    eventually(
        lambda: published.exists() and current == published.read_text(),
        timeout=UNDISTURBED_SECONDS,
        what="the file follows",
    )


@pytest.mark.publishing
def test_many_sinks_that_hang_delay_neither_renewal_nor_another_sink(tmp_path: Path, server: Server) -> None:
    """R-062, R-115: more hang than any pool has threads, for longer than their deadline; the stop takes no notice."""
    tables = "".join(sinks.table("hang", number) for number in range(HANGING))
    published = tmp_path / "run" / "tokens" / "deploy"
    with daemon_with(tmp_path, server, tables) as daemon:
        daemon.wait_for(state="fresh")
        follows(daemon, published)
        for _ in range(2):
            assert renewed(daemon) < UNDISTURBED_SECONDS
            follows(daemon, published)
        record = daemon.wait_for(condition="publish_failed")
        assert "no answer within 30 s" in record["reason"]
        assert HANGING == eventually(
            lambda: daemon.metric("stuck_workers") == HANGING and HANGING, what="all are given up on"
        )
        eventually(
            lambda: renewed(daemon) < UNDISTURBED_SECONDS, what="a renewal", retry_on=(AssertionError,)
        )
        follows(daemon, published)
        assert 200 == daemon.ops("/readyz/deploy")[0]
        code, seconds = daemon.stop()
    assert 0 == code
    assert seconds < END_SECONDS


def test_sinks_that_explode_cost_only_their_own_publications(tmp_path: Path, server: Server) -> None:
    """R-063: each is told with its own name and without the words of its exceptions; the file is published."""
    ways = ("runtime_error", "exit", "sink_error")
    published = tmp_path / "run" / "tokens" / "deploy"
    with daemon_with(tmp_path, server, "".join(map(sinks.table, ways))) as daemon:
        daemon.wait_for(state="fresh", condition="publish_failed")
        follows(daemon, published)
        assert renewed(daemon) < UNDISTURBED_SECONDS
        follows(daemon, published)

        def told() -> dict[str, str]:
            failures = [line for line in daemon.lines("published") if line["outcome"] == "failure"]
            return {line["target"]: line["message"] for line in failures}

        assert {
            "exploding runtime_error 0": "exploding runtime_error 0: unexpected RuntimeError in the plug-in",
            "exploding exit 0": "exploding exit 0: unexpected RuntimeError in the plug-in",
            "exploding sink_error 0": "acme: it is full: empty it",
        } == eventually(lambda: found if len(found := told()) == len(ways) else None, what="three failures")
        eventually(
            lambda: 2 == daemon.metric("publishes_total", token="deploy", sink="file", outcome="success"),
            what="both publications of the file",
        )
        assert 0 == daemon.stop()[0]


def test_a_sink_that_answers_nonsense_is_still_a_sink(tmp_path: Path, server: Server) -> None:
    """What it answers matters to hooks only, and it has none."""
    with daemon_with(tmp_path, server, sinks.table("wrong_type")) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        eventually(
            lambda: daemon.metric("publishes_total", sink="exploding", outcome="success"), what="the success"
        )
        assert 0 == daemon.stop()[0]
