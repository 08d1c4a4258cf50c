"""`RequestsAuth`: `requests.get(url, auth=RequestsAuth("deploy"))`.

Owns: the header, and on a 401 one report and one more try. Refuses to know: how tokens are read. Needs nothing of
requests itself: to that library any callable is an authentication.
"""

from __future__ import annotations

from broker.client.bearer import Adapter, Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RequestsAuth(Adapter):
    """Puts the current token into each request; `auth=` of a request or of a session, for any number of threads."""

    def __call__(self, request: Any) -> Any:
        """Called by requests for each request. Raises TokenClientError."""
        sent = self._bearer.send()
        request.headers["Authorization"] = sent.token.authorization

        def answered(response: Any, **options: Any) -> Any:
            return self._answered(sent, response, options)

        request.register_hook("response", answered)
        return request

    def _answered(self, sent: Sent, response: Any, options: dict[str, Any]) -> Any:
        if not sent.refused(response.status_code, response.request.headers.get("Authorization")):
            return response
        token = self._bearer.again(sent)
        if token is None or not _rewound(response.request):
            return response
        response.content  # noqa: B018 - read to its end, so that the connection can be used again
        response.close()
        request = response.request.copy()
        request.headers["Authorization"] = token.authorization
        again = response.connection.send(request, **options)
        again.history.append(response)
        again.request = request
        return again


def _rewound(request: Any) -> bool:
    """Whether the body can be sent once more; a file is wound back for it, a generator is spent."""
    body = request.body
    if body is None or isinstance(body, str | bytes):
        return True
    start = getattr(request, "_body_position", None)
    if not isinstance(start, int) or not hasattr(body, "seek"):
        return False
    body.seek(start)
    return True
