"""`BotocoreAuth`: bearer tokens for botocore and boto3 clients, by their events.

Owns: the header, and on a 401 one report and one more try. Refuses to know: how tokens are read. Needs nothing of
botocore itself: its event handlers are callables.
"""

from __future__ import annotations

from broker.client.bearer import Adapter, Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MADE = "request-created"
_ANSWERED = "needs-retry"
_SENT = "token_broker_sent"
_FIRST_ATTEMPT = 1


class BotocoreAuth(Adapter):
    """A handler of botocore's events: `BotocoreAuth("deploy").register(client.meta.events)`.

    Meant for services that want a bearer token where AWS wants a signature: make the client with
    `Config(signature_version=botocore.UNSIGNED)`.
    """

    def register(self, events: Any) -> None:
        """Listen to the events of a client (`client.meta.events`) or of a whole session's emitter."""
        events.register_last(_MADE, self)  # after any signature
        events.register_last(_ANSWERED, self)

    def __call__(self, *, event_name: str, **members: Any) -> float | None:
        """Called by botocore. Raises TokenClientError while a request is being made."""
        if event_name.startswith(f"{_MADE}."):
            self._made(members["request"])
        elif event_name.startswith(f"{_ANSWERED}."):
            return self._answered(**members)
        return None

    def _made(self, request: Any) -> None:
        """Each attempt is made anew, with the same context."""
        sent = self._bearer.send()
        request.context[_SENT] = sent
        request.headers["Authorization"] = sent.token.authorization

    def _answered(self, *, response: Any, attempts: int, request_dict: Any, **_: Any) -> float | None:
        """Seconds until the next attempt; None for no say in it."""
        sent: Sent | None = request_dict["context"].get(_SENT)
        if response is None or sent is None or attempts > _FIRST_ATTEMPT:
            return None
        status = response[0].status_code
        if not sent.refused(status, sent.token.authorization) or self._bearer.again(sent) is None:
            return None
        return 0.0
