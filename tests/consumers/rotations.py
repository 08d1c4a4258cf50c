"""Twenty rotations with every consumer at work, and the account of it.

Owns: the run, in the order of its parts, and the table. Refuses to know: the consumers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.consumers.api import running_api
from tests.consumers.consumers import CONSUMERS, Consumer
from tests.consumers.door import Account, Door
from tests.consumers.page import recipe
from tests.consumers.programs import Complaints
from tests.consumers.stage import Stage
from tests.daemon.running import Daemon, local_tables, store
from tests.scale import scaled
from tests.waiting import eventually

ROTATIONS: Final = scaled(short=20, whole=200)
TOKEN_LIFE_SECONDS: Final = 30
"""Renewed after 18 at the latest: that leaves time between the end of the door's overlap and the token's own."""
START_SECONDS: Final = 60.0
SUCCESSION_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One consumer's part of the run; `absent` says why it could not take part."""

    consumer: Consumer
    account: Account = field(default_factory=Account)
    complaints: Complaints = field(default_factory=list)
    absent: str = ""

    @property
    def rotations(self) -> int:
        """How many successors of the first token it was let in with."""
        return max(0, len(self.account.let_in_with) - 1)


def rotated(directory: Path) -> dict[str, Row]:
    """Play the run; the rows by the consumers' names."""
    with (
        DevelopmentAuthorizationServer(marker=MARKER, token_format="jwt") as server,
        running_api(Door(server, client_id="deploy"), directory) as api,
    ):
        stage = Stage(directory=directory, runtime_dir=directory / "run", api=api)
        store(directory, server.register("deploy", lifetime_seconds=TOKEN_LIFE_SECONDS).reveal())
        with Daemon(directory, local_tables(server, directory) + _files(stage)) as daemon:
            daemon.wait_for(state="fresh", condition="ok")
            with _at_work(stage) as rows:
                _rotate(directory, server, api.door, rows)
            return {row.consumer.name: row for row in rows}


def _files(stage: Stage) -> str:
    """The broker's tables, of every recipe once."""
    parts = [stage.part(each.name, recipe(each.title)) for each in CONSUMERS if each.reads == "again"]
    return "\n".join(part.files() for part in parts if "toml" in part.recipe.languages)


@contextmanager
def _at_work(stage: Stage) -> Iterator[list[Row]]:
    rows: list[Row] = []
    with ExitStack() as stack:
        for consumer in CONSUMERS:
            part = stage.part(consumer.name, recipe(consumer.title))
            try:
                complaints = stack.enter_context(consumer.running(part))
            except pytest.skip.Exception as skipped:
                rows.append(Row(consumer=consumer, absent=str(skipped)))
                continue
            account = _begun(stage.api.door, consumer.name)
            rows.append(Row(consumer=consumer, account=account, complaints=complaints))
        yield rows


def _begun(door: Door, name: str) -> Account:
    """Wait until a consumer was let in."""
    eventually(lambda: door.account(name).let_in_with, timeout=START_SECONDS, what=f"{name} was let in")
    return door.account(name)


def _rotate(directory: Path, server: DevelopmentAuthorizationServer, door: Door, rows: list[Row]) -> None:
    """Give the client another secret, let the broker find it and mint, wait until everybody came with the new token."""
    awaited = [row.consumer.name for row in rows if row.consumer.reads == "again" and not row.absent]
    for _ in range(ROTATIONS):
        before = door.newest
        store(directory, server.rotate("deploy").reveal())
        door.wait_for_succession(awaited, after=before, timeout_seconds=SUCCESSION_SECONDS)
    for row in rows:
        if row.consumer.reads == "too seldom" and not row.absent:
            name = row.consumer.name
            eventually(lambda name=name: door.account(name).outcomes["expired"], what=f"{name} came too late")  # type: ignore[misc]  # bound for this round


def table(rows: dict[str, Row]) -> str:
    """For people: who came how often, and how late."""
    lines = [
        f"{'consumer':<28}{'rotations':>10}{'requests':>10}{'refused':>9}{'failures':>10}{'latest old token':>18}"
    ]
    for name, row in rows.items():
        account = row.account
        lines.append(
            f"{name:<28}{row.rotations:>10}{account.requests:>10}{account.refused:>9}{len(row.complaints):>10}"
            f"{account.latest_seconds:>16.2f} s"
            if not row.absent
            else f"{name:<28}{row.absent}"
        )
    return "\n".join(lines)
