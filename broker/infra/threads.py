"""Synchronous calls away from the event loop, in daemon threads that can be given up on.

Owns: the threads, one total deadline a call, the count of calls that were abandoned and still run. Refuses to
know: what is called.

Daemon threads behind the `concurrent.futures.Executor` interface, because a ThreadPoolExecutor joins its
workers when the interpreter exits: one hung call would hold a stopped daemon. Through `loop.run_in_executor`,
because that is where virtual time in tests learns of work in threads.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, Literal, ParamSpec, TypeVar, cast

from broker.events import WorkersStuck
from broker.ports import Observer

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_SIZE = 4
CROWD_SIZE = 32
IDLE_SECONDS = 10.0
SLOW_SECONDS = 1.0
MOST_STUCK_PER_WORKER = 4
"""A replacement for each stuck worker, up to this many times the size: an upstream that hangs for ever,
polled each minute, must not eat the process's threads; with as many calls hanging, another one would hang as
well."""


class DaemonThreadPool:
    """Implements `broker.ports.BlockingRunner`.

    At most `size` calls make progress at once, the rest queue within their deadlines. `run` belongs to an
    event loop; the observer is called from any thread.

    With `slow_seconds` a call that has run that long takes nobody's place any more, and any number may hang. That is
    for many parties that make one call at a time each, where the slowness of one says nothing of the others.
    """

    def __init__(
        self,
        name: str,
        *,
        size: int = DEFAULT_SIZE,
        slow_seconds: float | None = None,
        idle_seconds: float = IDLE_SECONDS,
        observer: Observer,
    ) -> None:
        self._name = name
        self._slow_seconds = slow_seconds
        self._most_stuck = size * MOST_STUCK_PER_WORKER if slow_seconds is None else sys.maxsize
        self._executor = _DaemonExecutor(name, size=size, idle_seconds=idle_seconds, on_stuck=self._report)
        self._observer = observer

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        """What the call returns or raises; TimeoutError at the deadline, or at once if too many calls hang.

        After `close` TimeoutError as well, since a reload closes pools that renewals may be about to use.
        """
        stuck = self._executor.stuck
        if stuck >= self._most_stuck:
            raise TimeoutError(f"{self._name}: {stuck} earlier calls still hang")
        job, loop = _Job(call), asyncio.get_running_loop()
        if self._slow_seconds is not None:
            loop.call_later(self._slow_seconds, self._look_at, job, self._slow_seconds)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await loop.run_in_executor(self._executor, job)
        finally:
            # Not only at the deadline: whoever awaits may be cancelled, and the call runs on all the same.
            self._executor.abandon(job)

    def _look_at(self, job: _Job, slow_seconds: float) -> None:
        self._executor.outrun(job)
        if job.stage == "queued":
            asyncio.get_running_loop().call_later(slow_seconds, self._look_at, job, slow_seconds)

    def close(self) -> None:
        """Refuse further calls and forget queued ones; running ones are left alone. Idempotent."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _report(self, count: int) -> None:
        self._observer(WorkersStuck(pool=self._name, count=count))


class _Job:
    """One call and how far it got; `stage` changes under the executor's lock only."""

    __slots__ = ("call", "stage")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.stage: Literal["queued", "running", "slow", "abandoned", "finished"] = "queued"

    def __call__(self) -> Any:
        try:
            return self.call()
        except StopIteration:  # a future cannot carry it
            raise RuntimeError("the call raised StopIteration") from None
        except Exception:
            raise
        except BaseException as error:  # noqa: BLE001 - a plug-in that exits or cancels must not take the daemon along
            raise RuntimeError(f"the call raised {type(error).__name__}") from None


class _DaemonExecutor(Executor):
    """Workers are started as needed: one for each job that is queued or progressing, at most `size`; idle ones end."""

    def __init__(self, name: str, *, size: int, idle_seconds: float, on_stuck: Callable[[int], None]) -> None:
        self._name = name
        self._size = size
        self._idle_seconds = idle_seconds
        self._on_stuck = on_stuck
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Future[Any], _Job] | None] = queue.SimpleQueue()
        self._started = 0
        self._workers = 0
        self._live_jobs = 0
        self._closed = False
        self._slow = 0
        self.stuck = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:  # noqa: ARG002 - Executor's
        job = cast("_Job", fn)
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise TimeoutError(f"{self._name}: closed")
            self._live_jobs += 1
            self._queue.put((future, job))
            self._start_worker_if_needed()
        return future

    def outrun(self, job: _Job) -> None:
        """Others need not wait for this job, whoever awaits it; nothing happens if it is over."""
        with self._lock:
            if job.stage == "running":
                job.stage = "slow"
                self._live_jobs -= 1
                self._slow += 1
                self._start_worker_if_needed()

    def abandon(self, job: _Job) -> None:
        """Nobody waits for this job any more; nothing happens if it is over."""
        with self._lock:
            if job.stage == "queued":
                job.stage = "finished"
                self._live_jobs -= 1
            elif job.stage in {"running", "slow"}:
                if job.stage == "slow":
                    self._slow -= 1
                else:
                    self._live_jobs -= 1
                job.stage = "abandoned"
                self.stuck += 1
                self._on_stuck(self.stuck)
                self._start_worker_if_needed()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - too
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while cancel_futures and not self._queue.empty():
                waiting = self._queue.get()
                # Whoever awaited it may have been cancelled, and it with them.
                if waiting is not None and waiting[0].set_running_or_notify_cancel():
                    waiting[0].set_exception(TimeoutError(f"{self._name}: closed"))
            for _ in range(self._workers):
                self._queue.put(None)

    def _start_worker_if_needed(self) -> None:
        if self._progressing < min(self._size, self._live_jobs):
            self._started += 1
            name = f"{self._name}-{self._started}"
            # At the system's limit none can be started: what is queued waits for the next job, or its deadline.
            with suppress(RuntimeError):
                threading.Thread(target=self._work, name=name, daemon=True).start()
                self._workers += 1

    @property
    def _progressing(self) -> int:
        """Workers that take the place of others."""
        return self._workers - self.stuck - self._slow

    def _work(self) -> None:
        while (item := self._next()) is not None:
            future, job = item
            surplus = self._begin(future, job) and self._finish(future, job)
            del item, future, job  # an idle worker keeps no result alive
            if surplus:
                return

    def _next(self) -> tuple[Future[Any], _Job] | None:
        """What to do next; None if there was nothing for a while, or the pool is closed."""
        while True:
            with suppress(queue.Empty):
                return self._queue.get(timeout=self._idle_seconds)
            with self._lock:
                if self._queue.empty():  # else it came this very moment, and counts on this worker
                    self._workers -= 1
                    return None

    def _begin(self, future: Future[Any], job: _Job) -> bool:
        with self._lock:
            if job.stage != "queued":
                return False
            if not future.set_running_or_notify_cancel():
                job.stage = "finished"
                self._live_jobs -= 1
                return False
            job.stage = "running"
            return True

    def _finish(self, future: Future[Any], job: _Job) -> bool:
        """Run the job; answer whether this worker has become one too many."""
        result: Any = None
        error: BaseException | None = None
        try:
            result = job()
        except BaseException as caught:  # noqa: BLE001 - whatever it is belongs to the caller
            error = caught
        surplus = self._end(job)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
        return surplus

    def _end(self, job: _Job) -> bool:
        with self._lock:
            if job.stage == "abandoned":
                self.stuck -= 1
                self._on_stuck(self.stuck)
            elif job.stage == "slow":
                self._slow -= 1
            else:
                self._live_jobs -= 1
            job.stage = "finished"
            surplus = self._progressing > self._size
            if surplus:
                self._workers -= 1
            return surplus
