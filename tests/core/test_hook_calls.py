"""From a sink to the program that reads it: each change told, never two calls at once, the latest wins."""

from __future__ import annotations

import asyncio
import random

from broker.core.hook_caller import CALL_SECONDS, CLOSE_SECONDS, HookCaller
from broker.core.publisher import Publisher
from broker.errors import HookError
from broker.events import HookRan, Published
from broker.model import AccessToken, Moment, Publication, Revision, Secret
from tests.core.test_publishing import MemorySink
from tests.core.test_renewal import refused
from tests.core.world import InlineRunner, Place, SlowRunner, World
from tests.virtual_time import run_virtually


class Program:
    """Implements ChangeHook; `fault` is raised while it is set."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.attempts: list[float] = []
        self.fault: Exception | None = None
        self.closed = False

    def tell(self, publication: Publication) -> None:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.fault is not None:
            raise self.fault
        self.told.append(publication.revision.number)

    def close(self) -> None:
        self.closed = True


def revision(number: int) -> Publication:
    """A publication of this revision."""
    token = AccessToken(
        value=Secret(f"S3CR3T-{number}"), expires_in=300, issued=Moment(wall=1_700_000_000.0, boot=0.0)
    )
    return Publication(token_name="deploy", revision=Revision(number=number, token=token, jitter=0.0))


def caller_of(
    world: World,
    program: Program,
    runner: SlowRunner | None = None,
    turns: asyncio.Semaphore | None = None,
) -> HookCaller:
    """A running caller of this program."""
    caller = HookCaller(
        hook=program,
        token_name="deploy",
        sink_type="memory",
        target="memory",
        runner=runner or SlowRunner(),
        turns=turns or asyncio.Semaphore(16),
        naps=world.naps,
        observer=world.observer,
        rng=random.Random(1),
    )
    caller.round = world.rounds.start("hook", "deploy", caller)
    return caller


def publish(
    world: World, place: Place, sink: MemorySink, caller: HookCaller, *, remove: bool = False
) -> None:
    """Start publishing the token of this place, with this hook."""
    publisher = Publisher(
        token=place.token,
        create=lambda: sink,
        sink_type="memory",
        target="memory",
        withdraw_on_expiry=remove,
        runner=InlineRunner(),
        naps=world.naps,
        observer=world.observer,
        rng=random.Random(1),
        hook=caller,
    )
    place.token.wakes(world.rounds.start("publisher", "deploy", publisher))


def test_each_change_is_told_once() -> None:
    """A day of renewals: as many calls as revisions, in order, and none for the repairs in between."""

    async def scenario() -> None:
        world, program = World(), Program()
        publish(world, world.start(), MemorySink(), caller_of(world, program))
        await world.until(86_400)
        assert program.told == [event.revision for event in world.observer.of(Published)]
        assert len(program.told) > 2
        assert [event.revision for event in world.observer.of(HookRan)] == program.told

    run_virtually(scenario)


def test_changes_during_a_call_become_one() -> None:
    """Three come while the program works for 20 s: it is told of the last of them, after it has ended."""

    async def scenario() -> None:
        world, program = World(), Program()
        caller = caller_of(world, program, SlowRunner(20.0))
        for number in (1, 2, 3, 4):
            caller.changed(revision(number))
            await world.until(number)
        await world.until(19)
        assert program.told == []
        await world.until(100)
        assert program.told == [1, 4]
        assert [at - world.began for at in program.attempts] == [20.0, 40.0]

    run_virtually(scenario)


def test_a_failure_is_tried_again_ever_more_rarely_and_undoes_nothing() -> None:
    """Seconds at first, five minutes at most; state and condition of the token stay what they are."""

    async def scenario() -> None:
        world, program = World(), Program()
        program.fault = HookError("/usr/bin/app ended with status 1")
        sink, place = MemorySink(), world.start()
        publish(world, place, sink, caller_of(world, program))
        await world.until(3600)
        record = place.token.record()
        assert (record.state, record.condition) == ("fresh", "ok")
        assert sink.content == "token-1-S3CR3T"
        pauses = [
            after - before for before, after in zip(program.attempts, program.attempts[1:], strict=False)
        ]
        assert 1 <= pauses[0] <= 2
        assert all(150 <= pause <= 300 for pause in pauses[9:])
        assert {event.outcome for event in world.observer.of(HookRan)} == {"failure"}
        program.fault = None
        await world.until(4000)
        assert program.told == [1]

    run_virtually(scenario)


def test_a_change_ends_the_back_off() -> None:
    """The program may have been mended meanwhile; it is told of the new token only."""

    async def scenario() -> None:
        world, program = World(), Program()
        program.fault = HookError("/usr/bin/app ended with status 1")
        caller = caller_of(world, program)
        caller.changed(revision(1))
        await world.until(3600)
        program.fault = None
        caller.changed(revision(2))
        await world.until(3600.1)
        assert program.told == [2]

    run_virtually(scenario)


def test_a_hook_that_hangs_is_given_up_on_and_called_again() -> None:
    """After 40 s; a hook has its own limit before that."""

    async def scenario() -> None:
        world, program, runner = World(), Program(), SlowRunner(CALL_SECONDS + 1)
        caller = caller_of(world, program, runner)
        caller.changed(revision(1))
        await world.until(CALL_SECONDS + 0.5)
        (event,) = world.observer.of(HookRan)
        assert event.message == "on_change of memory: no answer within 40 s: look at the program"
        runner.seconds = 0.0
        await world.until(120)
        assert program.told == [1]

    run_virtually(scenario)


def test_a_bug_in_a_hook_is_a_failure_without_its_words() -> None:
    """R-063: they may quote anything."""

    async def scenario() -> None:
        world, program = World(), Program()
        program.fault = KeyError("S3CR3T-in-a-key")
        caller_of(world, program).changed(revision(1))
        await world.until(1)
        event = world.observer.of(HookRan)[0]
        assert event.message == "on_change of memory: unexpected KeyError in the plug-in"

    run_virtually(scenario)


def test_nothing_is_told_of_what_was_withdrawn() -> None:
    """An expired token's file is gone: who is told now would find nothing."""

    async def scenario() -> None:
        world, program = World(), Program()
        world.server.lifetime_seconds = 300
        program.fault = HookError("/usr/bin/app ended with status 1")
        caller = caller_of(world, program)
        publish(world, world.start(), MemorySink(), caller, remove=True)
        await world.until(1)
        world.server.fault = refused
        await world.until(310)
        program.fault = None
        await world.until(1000)
        assert program.told == []
        assert not caller.owes

    run_virtually(scenario)


def test_a_caller_owes_until_the_first_attempt_is_over() -> None:
    """That is how long `once` waits, whatever comes of it."""

    async def scenario() -> None:
        world, program = World(), Program()
        program.fault = HookError("/usr/bin/app ended with status 1")
        caller = caller_of(world, program, SlowRunner(5.0))
        owed = [caller.owes]
        caller.changed(revision(1))
        owed.append(caller.owes)
        await world.until(6)
        assert [*owed, caller.owes] == [False, True, False]

    run_virtually(scenario)


def test_not_too_many_run_at_once() -> None:
    """Ten tokens change together and two programs may run: each takes its turn, and none is forgotten."""

    async def scenario() -> None:
        world, programs, turns = World(), [Program() for _ in range(10)], asyncio.Semaphore(2)
        for program in programs:
            caller_of(world, program, SlowRunner(10.0), turns).changed(revision(1))
        await world.until(60)
        ends = [at - world.began for program in programs for at in program.attempts]
        assert ends == [10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 40.0, 40.0, 50.0, 50.0]

    run_virtually(scenario)


def test_a_stop_closes_the_hook_and_believes_nothing_that_it_says() -> None:
    """An exception or a hang of a plug-in's hook keeps nobody from stopping."""

    async def scenario() -> None:
        world, program, loop = World(), Program(), asyncio.get_running_loop()
        await caller_of(world, program).stop()
        assert program.closed
        program.close = explode  # type: ignore[method-assign]  # a plug-in of another author
        await caller_of(world, program).stop()
        began = loop.time()
        await caller_of(world, program, SlowRunner(3600.0)).stop()
        assert loop.time() - began == CLOSE_SECONDS

    def explode() -> None:
        raise RuntimeError("S3CR3T-in-an-exception")

    run_virtually(scenario)
