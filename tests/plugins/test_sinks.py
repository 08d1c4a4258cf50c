"""What an operator is told about a sink of a third party that does not do what the broker relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, run_verb, store
from tests.plugins.site import SINKS, distribution

MODULE = """
import msgspec
from broker.api import TokenSinkPlugin

class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    place: str

class Sink:
    def __init__(self, options, context):
        pass

def explode(options):
    raise KeyError(options.place)

ASKED = dict(target=lambda options: "acme")
plugin = TokenSinkPlugin(options=Options, create=Sink, **{asked})
"""
ENTRY = {SINKS: ["acme = acme_module:plugin"]}
TABLE = '\n[[tokens.deploy.sinks]]\ntype = "acme"\nplace = "S3CR3T-place"\n'


def configured(directory: Path, server: DevelopmentAuthorizationServer, asked: str) -> Daemon:
    """A daemon, not started, with a sink of this module."""
    distribution(directory / "site", "acme-sink", ENTRY, acme_module=MODULE.format(asked=asked))
    store(directory, server.register("deploy").reveal())
    tables = local_tables(server, directory) + TABLE
    return Daemon(directory, tables, extra={"PYTHONPATH": str(directory / "site")})


@pytest.mark.parametrize("what", ["target", "hook", "check"])
def test_what_is_asked_on_the_event_loop_fails_at_load(
    tmp_path: Path, server: DevelopmentAuthorizationServer, what: str
) -> None:
    """Or never: the table is named, and nothing of the exception but its type."""
    daemon = configured(tmp_path, server, f"{{**ASKED, '{what}': explode}}")
    done = run_verb("check", "--config", daemon.config, extra=daemon.extra)
    assert 78 == done.returncode
    assert (
        "tokens.deploy.sinks[0]: the plug-in failed to check this table (KeyError); report it to its author\n"
    ) == done.stderr


def test_a_sink_without_its_methods_fails_alone(
    tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """Token, file and socket are served; the condition says which sink."""
    with configured(tmp_path, server, "ASKED") as daemon:
        record = daemon.wait_for(state="fresh", condition="publish_failed")
        assert "acme: unexpected AttributeError in the plug-in" == record["reason"]
        assert 200 == daemon.ask("/v1/tokens/deploy")[0]
        assert 0 == daemon.stop()[0]
