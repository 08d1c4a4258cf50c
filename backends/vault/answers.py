"""What Vault's statuses mean, wherever they come from.

Owns: the conversion of answers that give no verdict about a secret or a login. By status alone, since hvac's
exception classes know half of them (R-088), and without a word of the body (R-087).
"""

from __future__ import annotations

from backends.vault.client import Answer
from broker.api import SecretBackendUnavailable

OK = 200
BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
SEALED = 503

_MEANINGS = {
    BAD_REQUEST: "refused the request: is url right, with https where the server wants it?",
    405: "does not know such requests: is url the address of a Vault-compatible server?",
    412: "has not caught up with a write yet",
    TOO_MANY_REQUESTS: "asks for a pause: a rate limit is used up",
    472: "is a disaster recovery secondary: point url at the primary",
    473: "is a performance standby that does not answer this: point url at the active node",
    501: "is not initialised",
    SEALED: "is sealed or in maintenance",
}


def unavailable(answer: Answer, where: str) -> SecretBackendUnavailable:
    """The error to raise for such an answer; `where` names the backend."""
    status = answer.status
    if status < 300:  # noqa: PLR2004 - RFC 9110 15.3
        meaning = "answered something else than Vault does: does a proxy stand in between?"
    elif status < BAD_REQUEST:
        meaning = "redirects, which would take our token to another host: set url to where it points"
    else:
        meaning = _MEANINGS.get(status, "failed")
    return SecretBackendUnavailable(
        f"{where}: the server {meaning} (status {status})",
        code="throttled" if status == TOO_MANY_REQUESTS else None,
        retry_after_seconds=answer.retry_after_seconds,
    )
