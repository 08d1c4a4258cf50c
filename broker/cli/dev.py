"""`token-broker dev`: the main job on an embedded default.

Owns: nothing but the verb; `broker.dev.scene` plays it.
"""

from broker.cli.options import Arguments, Command

COMMAND = Command(
    "dev",
    "watch a token being minted, published, renewed and rotated; all of it is in ./run and goes with Ctrl-C",
    example="token-broker dev",
)


def run(_arguments: Arguments) -> int:
    """Play until Ctrl-C."""
    from broker.dev.scene import dev

    return dev()
