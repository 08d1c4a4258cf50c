"""The command line: finds the verb, and turns whatever happens into an exit code and a line for people.

Owns: the verbs' names, and the only handlers of last resort. Refuses to know: what a verb does; each is a
module of its own with a `COMMAND` and a `run`, imported when it is called for. `get` is run by scripts at
every request, so nothing on its way loads a module that it could do without: no argparse, re, json, enum,
typing, dataclasses, socket.
"""

import os
import sys

VERBS = {
    "run": "the daemon, in the foreground",
    "once": "mint, publish to the configured files, exit",
    "check": "validate the configuration, without network",
    "dev": "watch a token being minted, renewed and rotated, on an embedded default",
    "get": "read one token over the socket",
    "status": "every managed token: state, life, next renewal",
    "wait": "until tokens are usable",
    "renew": "mint now",
    "reject": "report that an API refused the current token",
    "exec": "run a program with a token in a file that stays fresh",
    "plugins": "installed secret backends, sinks and client authentication methods",
    "schema": "the JSON Schema of the configuration",
    "completion": "what a shell needs to complete these words",
    "version": "version and build",
}

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that these signals ended: 128 + SIGINT, 128 + SIGPIPE."""


def main(argv: list[str] | None = None) -> int:
    """Run the verb that `argv` (default: the process's arguments) names; the exit code."""
    try:
        try:
            return _dispatch(sys.argv[1:] if argv is None else argv)
        finally:
            # What is written by now counts, also before an error: the process may end without the interpreter's help.
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback: it could show a value
        from broker.cli.failure import explain

        if isinstance(error, OSError):
            _give_up_output()
        return explain(error)


def _dispatch(argv: list[str]) -> int:
    verb, *rest = argv or [""]
    if verb in VERBS:
        module = __import__(f"broker.cli.{verb}", fromlist=["COMMAND", "run"])
        arguments = module.COMMAND.parse(rest)
        if arguments is None:
            sys.stdout.write(module.COMMAND.help())
            return os.EX_OK
        status: int = module.run(arguments)
        return status

    from broker.cli.overview import overview, unknown_verb

    if verb in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return os.EX_OK
    if verb == "--version":
        return _dispatch(["version", *rest])
    if not verb:
        sys.stderr.write(overview())
        return os.EX_USAGE
    raise unknown_verb(verb)


def _give_up_output() -> None:
    """Drop output that cannot be written: the interpreter would try again at exit, and complain."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
