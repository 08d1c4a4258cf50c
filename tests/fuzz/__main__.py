"""`make fuzz`: coverage-guided fuzzing of framing, parsing and routing with atheris, for as long as asked.

Owns: the set-up of the fuzzer. What it finds belongs into `tests/fuzz/corpus`, with its statuses in the name.

usage: python -m tests.fuzz [--seconds N] [--findings DIRECTORY]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    """Fuzz; libFuzzer ends the process, with 0 if it found nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.mkdtemp(prefix="fuzz-")))
    options = parser.parse_args()
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is missing; install it: .venv/bin/pip install atheris")
    with atheris.instrument_imports(include=["broker.server", "broker.oauth.strict_json"]):
        from tests.fuzz.target import one_input

    grown = options.findings / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"new inputs: {grown}; findings: {options.findings}\n")

    def one(data: bytes) -> None:
        one_input(data)

    limits = [f"-max_total_time={options.seconds}", "-max_len=8192", f"-artifact_prefix={options.findings}/"]
    atheris.Setup([sys.argv[0], *limits, str(grown), str(CORPUS)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
