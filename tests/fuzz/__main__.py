"""`make fuzz`: coverage-guided fuzzing of framing, parsing and routing with atheris, for as long as asked.

Owns: the set-up of the fuzzer, and that bytes mean the same however they are cut. What it finds belongs into
`tests/fuzz/corpus`, with its statuses in the name.

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
        sys.exit("atheris is missing; make fuzz installs it")
    with atheris.instrument_imports(include=["broker.server", "broker.oauth.strict_json"]):
        from tests.fuzz.target import WORDS, one_input

    grown = options.findings / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    words = options.findings / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    sys.stdout.write(f"new inputs: {grown}; findings: {options.findings}\n")

    def one(data: bytes) -> None:
        whole = one_input(data)
        place = sum(data)  # anywhere, and the same when the input is tried again
        cut = one_input(data, cuts=(place, place // 2, place // 3))
        # A refusal may come before the rest of a body, and is the last answer then.
        assert cut == whole[: len(cut)], (whole, cut)
        assert bool(cut) == bool(whole), (whole, cut)

    limits = [f"-max_total_time={options.seconds}", "-max_len=8192", "-print_final_stats=1"]
    limits += [f"-artifact_prefix={options.findings}/", f"-dict={words}"]
    atheris.Setup([sys.argv[0], *limits, str(grown), str(CORPUS)], one)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
