"""`token-broker schema`: the JSON Schema of the configuration, for editors and reviews.

Owns: the verb. Refuses to know: the schema (`broker.config`) and the plug-ins whose options are part of it.
"""

import json
import os

from broker.cli.options import Arguments, Command

COMMAND = Command(
    "schema",
    "the JSON Schema of the configuration, with the options of what is installed here",
    example="token-broker schema > token-broker.schema.json",
)


def run(_arguments: Arguments) -> int:
    """Print the schema."""
    from broker.app import vocabulary
    from broker.config.json_schema import schema

    print(json.dumps(schema(vocabulary()), indent=2))
    return os.EX_OK
