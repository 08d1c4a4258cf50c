"""Real programs, configured as docs/consumers.md says, while the client secret and the token are replaced 20 times."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext

import pytest

from tests.consumers.consumers import CONSUMERS
from tests.consumers.rotations import ROTATIONS, Row, rotated, table

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

READING_AGAIN = [consumer.name for consumer in CONSUMERS if consumer.reads == "again"]
READING_TOO_SELDOM = [consumer.name for consumer in CONSUMERS if consumer.reads == "too seldom"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Mapping[str, Row]:
    """One run for all; its table is shown."""
    rows = rotated(tmp_path_factory.mktemp("consumers"))
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        sys.stdout.write(f"\n{table(rows)}\n")
    return rows


@pytest.mark.parametrize("name", READING_AGAIN)
def test_consumer_is_never_refused(name: str, rows: Mapping[str, Row]) -> None:
    """R-120: it was let in with each of the tokens, and no request of it failed."""
    row = rows[name]
    if row.absent:
        pytest.skip(row.absent)
    assert ROTATIONS <= row.rotations
    assert 0 == row.account.refused, row.account.outcomes
    assert [] == row.complaints


@pytest.mark.parametrize("name", READING_TOO_SELDOM)
def test_consumer_that_reads_too_seldom_is_refused(name: str, rows: Mapping[str, Row]) -> None:
    """Negative control: at the same door, in the same run, an old token is seen."""
    row = rows[name]
    if row.absent:
        pytest.skip(row.absent)
    assert row.account.outcomes["let in"] > 0
    assert row.account.outcomes["superseded"] > 0
    assert row.account.outcomes["expired"] > 0
