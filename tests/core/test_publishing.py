"""From the store to sinks: the latest revision, alone retried, withdrawn at expiry, repaired."""

from __future__ import annotations

import random

from broker.core.publisher import Publisher
from broker.errors import SinkError
from broker.events import Published
from broker.model import Publication
from broker.ports import BlockingRunner
from tests.core.test_renewal import refused
from tests.core.world import InlineRunner, Place, SlowRunner, World
from tests.virtual_time import run_virtually


class MemorySink:
    """Implements TokenSink; `fault` is raised while it is set."""

    def __init__(self) -> None:
        self.content: str | None = None
        self.fault: SinkError | None = None
        self.calls = 0
        self.given: list[int] = []

    def publish(self, publication: Publication) -> bool:
        self.calls += 1
        self.given.append(publication.revision.number)
        if self.fault is not None:
            raise self.fault
        before, self.content = self.content, publication.revision.token.value.reveal()
        return before != self.content

    def withdraw(self) -> None:
        self.content = None

    def close(self) -> None:
        return


def publish(
    world: World,
    place: Place,
    sink: MemorySink,
    *,
    withdraw_on_expiry: bool = False,
    runner: BlockingRunner | None = None,
) -> Publisher:
    """Start publishing the token of this place."""
    publisher = Publisher(
        token=place.token,
        create=lambda: sink,
        sink_type="memory",
        target=f"memory-{id(sink)}",
        withdraw_on_expiry=withdraw_on_expiry,
        runner=runner or InlineRunner(),
        naps=world.naps,
        observer=world.observer,
        rng=random.Random(1),
    )
    place.token.wakes(world.rounds.start("publisher", "deploy", publisher))
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


def test_a_slow_sink_gets_the_latest_token_and_delays_nobody() -> None:
    """Each call takes 20 s while the token is renewed every 5 s: no queue of old ones, and the other sink has each."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        slow, quick = MemorySink(), MemorySink()
        publish(world, place, slow, runner=SlowRunner(20.0))
        publish(world, place, quick)
        for number in range(1, 13):
            await world.until(number * 5)
            assert quick.content == f"token-{number}-S3CR3T"
            place.renewer.request()
        await world.until(120)
        assert slow.given == [1, 4, 8, 12, 13]
        assert slow.content == quick.content == "token-13-S3CR3T"
        assert len(world.request_times) == 13

    run_virtually(scenario)


def test_a_sink_that_hangs_is_given_up_on_and_recovers_alone() -> None:
    """Its first calls never come back in time; the token, its renewals and the other sink know nothing of it."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        hanging, quick = MemorySink(), MemorySink()
        runner = SlowRunner(3600.0)
        publish(world, place, hanging, runner=runner)
        publish(world, place, quick)
        await world.until(100)
        record = place.token.record()
        assert (record.state, record.condition) == ("fresh", "publish_failed")
        assert "no answer within 30 s" in record.reason
        assert (quick.content, hanging.content) == ("token-1-S3CR3T", None)
        runner.seconds = 0.0
        await world.until(170)
        assert hanging.content == "token-1-S3CR3T"
        assert place.token.record().condition == "ok"

    run_virtually(scenario)


def test_a_sink_that_cannot_be_made_is_made_later() -> None:
    """A plug-in whose constructor fails costs its own publications, and nothing else."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        made: list[MemorySink] = []

        def create() -> MemorySink:
            made.append(MemorySink())
            if len(made) < 3:
                raise RuntimeError("S3CR3T-in-an-exception")
            return made[-1]

        publisher = Publisher(
            token=place.token,
            create=create,
            sink_type="memory",
            target="memory",
            withdraw_on_expiry=False,
            runner=InlineRunner(),
            naps=world.naps,
            observer=world.observer,
            rng=random.Random(1),
        )
        place.token.wakes(world.rounds.start("publisher", "deploy", publisher))
        await world.until(1)
        assert place.token.record().reason == "memory: unexpected RuntimeError in the plug-in"
        await world.until(60)
        assert made[-1].content == "token-1-S3CR3T"

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
