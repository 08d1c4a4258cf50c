"""What the broker tells about the managed tokens this peer may read, without the tokens.

Owns: reading `/v1/status`. Refuses to know: how it is shown.
"""

import json

from broker.client import routes
from broker.client.errors import UnexpectedAnswer
from broker.client.fetch import ANSWER_SECONDS, content
from broker.client.wire import exchange


def roster(socket_path: str) -> list[dict[str, object]]:
    """One record a token, as docs/interface.md 7 lists its members. Raises TokenClientError."""
    answer = exchange(socket_path, "GET", routes.STATUS, timeout_seconds=ANSWER_SECONDS)
    body = content(answer)
    try:
        records = json.loads(body)["tokens"]
    except (ValueError, KeyError, TypeError, RecursionError):
        records = None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UnexpectedAnswer("the broker's answer is not a list of tokens", code="protocol")
    return records
