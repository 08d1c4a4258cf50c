"""`make bench`: one table of every measure with its bar and aim, and the same as JSON.

usage: python -m tests.bench [--short] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from itertools import chain
from pathlib import Path

from tests.bench import daemon_memory, daemon_start, get_time, publication, socket_crowd, socket_reads
from tests.bench.figures import documents, head, line

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--short", action="store_true", help="fewer rounds: a look, not a measurement")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=ROOT / "build" / "bench.json", help="(build/bench.json)"
    )
    options = parser.parse_args()
    seconds, rounds, tokens = (0.5, 3, [300]) if options.short else (2.0, 5, [1_000, 10_000])

    found = []
    print(head(), flush=True)
    for figure in chain(
        socket_reads.measure(seconds=seconds, rounds=rounds),
        socket_crowd.measure(seconds=seconds, rounds=rounds),
        get_time.measure(rounds=rounds * 4),
        daemon_start.measure(rounds=rounds * 2),
        daemon_memory.measure(tokens=tokens),
        publication.measure(rounds=rounds),
    ):
        print(line(figure), flush=True)
        found.append(figure)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(documents(found), indent=2) + "\n")


main()
