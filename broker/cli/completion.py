"""`token-broker completion`: what a shell needs to complete our words.

Owns: which shells, and the names of tokens that their scripts ask for while a line is being written. Refuses to
know: the shells' languages (`completion_scripts`).
"""

import os

from broker.cli import VERBS, addresses
from broker.cli.options import Arguments, Command, Flag, UsageError, did_you_mean
from broker.client.errors import TokenClientError
from broker.client.roster import roster

SHELLS = ("bash", "zsh", "fish")

_NAMES = Flag(
    "--names", "print the names of the tokens that this user may read, one a line, and nothing else"
)

COMMAND = Command(
    "completion",
    "print a script that teaches a shell to complete verbs, options and names of tokens",
    options=(_NAMES, addresses.SOCKET),
    operand="SHELL",
    operand_summary=", ".join(SHELLS),
    most=1,
    example="token-broker completion bash > ~/.local/share/bash-completion/completions/token-broker\n"
    "token-broker completion zsh > ~/.zfunc/_token-broker\n"
    "token-broker completion fish > ~/.config/fish/completions/token-broker.fish",
)


def run(arguments: Arguments) -> int:
    """Print the script, or the names."""
    if _NAMES.read(arguments):
        _print_names(arguments)
        return os.EX_OK
    if not arguments.operands:
        raise UsageError(f"which shell? token-broker completion {'|'.join(SHELLS)}")
    shell = arguments.operands[0]
    if shell not in SHELLS:
        raise UsageError(f"{shell!r} is none of {', '.join(SHELLS)}{did_you_mean(shell, list(SHELLS))}")

    from broker.cli import completion_scripts

    print(completion_scripts.WRITERS[shell](commands()), end="")
    return os.EX_OK


def commands() -> list[Command]:
    """The commands of all verbs: one source for parser, help and completion."""
    return [__import__(f"broker.cli.{verb}", fromlist=["COMMAND"]).COMMAND for verb in VERBS]


def _print_names(arguments: Arguments) -> None:
    """Silent about what is in the way: somebody is in the middle of a line."""
    try:
        records = roster(addresses.socket(arguments))
    except TokenClientError:
        return
    for record in records:
        name = record.get("name")
        if isinstance(name, str) and name.isprintable():
            print(name)
