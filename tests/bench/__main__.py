"""`make bench`: every table, and the same figures as JSON where `--json FILE` asks for them.

usage: python -m tests.bench [--short] [--json FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from tests.bench import daemon_costs, get_time, socket_crowd, socket_reads


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--short", action="store_true", help="fewer rounds: a look, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rounds = 3 if options.short else 9

    costs = daemon_costs.measure(rounds=rounds, tokens=100 if options.short else 1000)
    print(daemon_costs.table(costs), end="\n\n", flush=True)
    gets = get_time.measure(rounds=rounds * 3)
    print(get_time.table(gets), end="\n\n", flush=True)
    reads = socket_reads.measure(seconds=0.5 if options.short else 2.0, rounds=2 if options.short else 5)
    print(socket_reads.table(reads), end="\n\n", flush=True)
    crowd = socket_crowd.measure(seconds=0.5 if options.short else 2.0, rounds=2 if options.short else 5)
    print(socket_crowd.table(crowd), flush=True)
    if options.json is not None:
        figures = {
            "daemon": [dataclasses.asdict(row) for row in costs],
            "get": [dataclasses.asdict(row) for row in gets],
            "socket": [dataclasses.asdict(row) for row in reads],
            "crowd": [dataclasses.asdict(row) for row in crowd],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


main()
