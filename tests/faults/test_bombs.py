"""Answers that are meant to cost: compressed, endless, nested, long (F-07)."""

from __future__ import annotations

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon
from tests.faults.daemons import MIB, forget_peak, memory_bytes

Server = DevelopmentAuthorizationServer

BOMBS = ["gzip-bomb", "endless", "nested", "long-number", "oversize"]


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_at_the_token_endpoint_costs_little_memory(daemon: Daemon, server: Server, bomb: str) -> None:
    """F-07: a protocol error, less than 20 MB at the peak, and the token that there is goes on being served."""
    daemon.start()
    daemon.wait_for(state="fresh")
    forget_peak(daemon)
    before = memory_bytes(daemon, "VmRSS")
    server.fault("token", bomb)
    daemon.ask("/v1/tokens/deploy/renew", "POST")
    daemon.wait_for(condition="protocol_error", state="stale", last_error="protocol", revision=1)
    assert memory_bytes(daemon, "VmHWM") - before < 20 * MIB
    assert daemon.ask("/v1/tokens/deploy")[0] == 200


@pytest.mark.parametrize("bomb", ["gzip-bomb", "endless"])
def test_bomb_as_metadata_costs_little_memory(daemon: Daemon, server: Server, bomb: str) -> None:
    """F-07 at the first thing that is ever read of a server."""
    server.fault("metadata", "500", times=1)
    server.fault("metadata", bomb)
    daemon.start()
    daemon.wait_for(condition="unreachable", state="absent")
    forget_peak(daemon)
    before = memory_bytes(daemon, "VmRSS")
    daemon.wait_for(condition="protocol_error", state="absent", last_error="protocol")
    assert memory_bytes(daemon, "VmHWM") - before < 20 * MIB
    assert 0 == server.ledger.count("token")
