"""A program that lasts: it runs a Python file, then calls its `call_api` again and again until standard input ends.

Standard library only, so that the consumer imports what the consumer imports. A call that fails is a line on standard
error, without the exception's words: they may show a token.
"""

from __future__ import annotations

import runpy
import select
import sys

SECONDS_BETWEEN_CALLS = 0.2


def main() -> None:
    """Until nobody holds the other end of standard input."""
    call_api = runpy.run_path(sys.argv[1])["call_api"]
    while not select.select([sys.stdin], [], [], SECONDS_BETWEEN_CALLS)[0]:
        try:
            call_api()
        except Exception as error:  # noqa: BLE001 - the consumer goes on, and the call counts as failed
            sys.stderr.write(f"{type(error).__name__}\n")


if __name__ == "__main__":
    main()
