"""What a publication costs beside the least that replaces a file: write another and rename it.

Owns: the runs. The other way is written in Python too, checks nothing and syncs nothing. Both take turns. The system
calls are counted where there is strace.

usage: python -m tests.bench.publication [--rounds N]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure, head, line
from tests.publishing.places import memory_directory
from tests.publishing.system_calls import Step, steps_of_publication
from tests.sinks.publisher_process import publisher_process
from tests.sinks.publishing import publication, sink_for

TOKEN_BYTES: Final = 1200  # a signed JWT with a handful of claims
_FILL: Final = TOKEN_BYTES - len("S3CR3T-0000--end")


def measure(*, rounds: int) -> Iterator[Figure]:
    """In memory, where tokens belong, and on the disk of the temporary directory."""
    with memory_directory() as memory, tempfile.TemporaryDirectory(prefix="bench-") as disk:
        yield from _times("memory", memory, rounds * 100)
        yield from _times("disk", Path(disk), rounds * 10)
        unchanged = publication(1000, fill=_FILL)
        sink = sink_for(memory / "token")
        sink.publish(unchanged)
        same = statistics.median(_seconds(partial(sink.publish, unchanged)) for _ in range(rounds * 100))
        yield Figure(what="  memory: the same token again", value=same * 1000, unit="ms")
        if shutil.which("strace") is not None:
            yield from _calls(memory)


def _times(where: str, directory: Path, rounds: int) -> Iterator[Figure]:
    sink, path = sink_for(directory / "token"), directory / "plain"
    ours, plain = [], []
    for number in range(1000, 1000 + rounds):
        token = publication(number, fill=_FILL)
        content = token.revision.token.value.reveal_bytes()
        ours.append(_seconds(partial(sink.publish, token)))
        plain.append(_seconds(partial(_write_and_rename, path, content)))
    yield Figure(what=f"publication of {TOKEN_BYTES} bytes, {where}", value=_ms(ours), unit="ms")
    yield Figure(what=f"  {where}: write and rename, no fsync, no checks", value=_ms(plain), unit="ms")
    yield Figure(what=f"  {where}: as a ratio", value=_ms(ours) / _ms(plain), unit="x")


def _calls(directory: Path) -> Iterator[Figure]:
    path = directory / "traced" / "token"
    with publisher_process(path) as publisher:
        publisher.publish(1000, fill=_FILL)
        calls = steps_of_publication(publisher, directory / "trace", base=directory, number=1001, fill=_FILL)
        written = path.stat().st_size
    yield Figure(what="  system calls, in a directory four levels deep", value=len(calls), unit="")
    yield Figure(what="    of these on the way to the directory and back", value=_walked(calls), unit="")
    yield Figure(what="  bytes written", value=written, unit="B")


def _walked(calls: list[Step]) -> int:
    """Those that are about directories: opened, looked at, closed."""
    return len(
        [
            step
            for step in calls
            if step.call != "fsync"
            and "token" not in Path(step.target).name
            and "TMP" not in step.target
            and step.target
        ]
    )


def _write_and_rename(path: Path, content: bytes) -> None:
    temporary = path.with_name("plain.new")
    temporary.write_bytes(content)
    temporary.rename(path)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    sys.stdout.write("\n".join([head(), *map(line, measure(rounds=parser.parse_args().rounds))]) + "\n")


if __name__ == "__main__":
    main()
