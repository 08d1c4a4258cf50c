"""`token-broker once`: mint, publish to files, exit.

Owns: nothing but the verb; `broker.app` does it.
"""

from pathlib import Path

from broker.cli import addresses
from broker.cli.options import Arguments, Command

COMMAND = Command(
    "once",
    "mint, publish to the configured files, exit: for init containers and cron",
    options=(addresses.CONFIG,),
    operand="NAME",
    operand_summary="only these managed tokens; all of them by default",
    most=None,
    example="token-broker once --config /etc/token-broker/config.toml deploy",
)


def run(arguments: Arguments) -> int:
    """Mint and publish; 0 once every file is written."""
    from broker.app import once

    return once(Path(addresses.config(arguments)), arguments.operands)
