"""From the store to sinks: the latest revision, alone retried, withdrawn at expiry, repaired."""

from __future__ import annotations

import asyncio
import random

from broker.core.publisher import Publisher
from broker.errors import SinkError
from broker.events import Published
from broker.model import Publication
from tests.core.test_renewal import refused
from tests.core.world import InlineRunner, Place, World
from tests.virtual_time import run_virtually


class MemorySink:
    """Implements TokenSink; `fault` is raised while it is set."""

    def __init__(self) -> None:
        self.content: str | None = None
        self.fault: SinkError | None = None
        self.calls = 0

    def publish(self, publication: Publication) -> bool:
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        before, self.content = self.content, publication.revision.token.value.reveal()
        return before != self.content

    def withdraw(self) -> None:
        self.content = None

    def close(self) -> None:
        return


def publish(world: World, place: Place, sink: MemorySink, *, withdraw_on_expiry: bool = False) -> Publisher:
    """Start publishing the token of this place."""
    publisher = Publisher(
        token=place.token,
        create=lambda: sink,
        sink_type="memory",
        target=f"memory-{id(sink)}",
        withdraw_on_expiry=withdraw_on_expiry,
        runner=InlineRunner(),
        naps=world.naps,
        observer=world.observer,
        rng=random.Random(1),
    )
    place.tasks.append(asyncio.create_task(publisher.run()))
    return publisher


def test_failing_sink_is_retried_alone_and_delays_no_other() -> None:
    """R-115: one sink fails for a minute; the other has the token at once, and nothing is minted again."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        good, bad = MemorySink(), MemorySink()
        bad.fault = SinkError("/run/x: no space left on device: make room")
        publish(world, place, good)
        publish(world, place, bad)
        await world.until(1)
        assert good.content == "token-1-S3CR3T"
        record = place.token.record()
        assert (record.state, record.condition) == ("fresh", "publish_failed")
        assert "no space left" in record.reason
        await world.until(60)
        bad.fault = None
        await world.until(120)
        assert bad.content == "token-1-S3CR3T"
        assert place.token.record().condition == "ok"
        assert len(world.request_times) == 1

    run_virtually(scenario)


def test_two_sinks_do_not_wake_each_other_for_ever() -> None:
    """A publication is an event once; an hour of quiet costs a repair call now and then and no event."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        sinks = MemorySink(), MemorySink()
        for sink in sinks:
            publish(world, place, sink)
        await world.until(3600)
        assert len(world.observer.of(Published)) == 2
        assert all(70 <= sink.calls <= 90 for sink in sinks)

    run_virtually(scenario)


def test_what_was_deleted_under_us_is_back_within_a_minute() -> None:
    """F-36: somebody empties the runtime directory."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        sink = MemorySink()
        publish(world, place, sink)
        await world.until(10)
        sink.content = None
        await world.until(60)
        assert sink.content == "token-1-S3CR3T"

    run_virtually(scenario)


def test_expired_token_is_withdrawn_where_it_is_configured_so() -> None:
    """R-072, R-124: on_expiry = "remove" empties the sink at expiry, "keep" leaves it, and a new token fills both."""

    async def scenario() -> None:
        world = World()
        world.server.lifetime_seconds = 300
        place = world.start()
        removing, keeping = MemorySink(), MemorySink()
        publish(world, place, removing, withdraw_on_expiry=True)
        publish(world, place, keeping)
        await world.until(1)

        world.server.fault = refused
        await world.until(290)
        assert removing.content == "token-1-S3CR3T"
        await world.until(300)
        assert [removing.content, keeping.content] == [None, "token-1-S3CR3T"]
        world.server.fault = None
        await world.until(2000)
        assert removing.content == keeping.content != "token-1-S3CR3T"

    run_virtually(scenario)
