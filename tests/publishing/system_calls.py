"""One publication as the list of its system calls, each of which can be made to fail or to kill.

Owns: reading strace's output, and which calls are no part of a publication. Refuses to know: what should happen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.sinks.publisher_process import PublisherProcess
from tests.sinks.tracing import traced

_LINE: Final = re.compile(r"(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\S+)")
_TARGET: Final = re.compile(r'[^<,]*<(?P<directory>[^>]*)>(?:, "(?P<name>[^"]*)")?')
# Memory, threads and questions that cannot fail; and the conversation of the process with the test.
_NOISE: Final = re.compile(r"brk|m(un|re)?map|madvise|mprotect|futex|rt_sig\w+|get\w?[ug]id|getpid|gettid")
_CONVERSATION: Final = re.compile(r"(read|write)\(\d+<(pipe|socket|UNIX)")


@dataclass(frozen=True, slots=True)
class Step:
    """The `occurrence`-th call of this name in a publication, on what `target` says."""

    call: str
    occurrence: int
    target: str

    def __str__(self) -> str:
        return f"{self.call}({self.target})"

    def inject(self, fault: str) -> tuple[str, ...]:
        """Options of strace that do `fault` to this call."""
        return ("-e", f"trace={self.call}", "-e", f"inject={self.call}:{fault}:when={self.occurrence}")


def steps(trace: str, *, base: Path) -> list[Step]:
    """The calls in strace's output (with -y) that belong to a publication; names are told below `base`."""
    found, seen = [], Counter[str]()
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        seen[match["call"]] += 1
        if not _NOISE.fullmatch(match["call"]) and not _CONVERSATION.match(line):
            found.append(
                Step(
                    match["call"], seen[match["call"]], _target(match["call"], match["arguments"], str(base))
                )
            )
    return found


def steps_of_publication(
    publisher: PublisherProcess, output: Path, *, base: Path, number: int, fill: int = 0
) -> list[Step]:
    """The calls of one publication of this process."""
    with traced(publisher.pid, output):
        assert "ok" == publisher.publish(number, fill=fill)
    return steps(output.read_text(), base=base)


@contextmanager
def faulty(publisher: PublisherProcess, step: Step, fault: str, output: Path) -> Iterator[None]:
    """Until the block ends, `fault` happens to this step of the publication that follows."""
    with traced(publisher.pid, output, *step.inject(fault)):
        yield


def _target(call: str, arguments: str, base: str) -> str:
    match = _TARGET.match(arguments)
    if match is None:
        return ""
    path, name = match["directory"], match["name"] if re.search("at2?$", call) else None
    if name:
        path = name if name.startswith("/") else f"{path.rstrip('/')}/{name}"
    shown = path.removeprefix(base).removeprefix("/") if path.startswith(base) else path
    return re.sub(r"\.token-broker\.[0-9a-f.]+", "TMP", shown) or "base"
