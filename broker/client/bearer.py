"""What adapters for HTTP libraries share: which token goes into the header, and what a 401 means.

Owns: the token's name, the demands on it, the one report and the one successor. Refuses to know: HTTP
libraries.
"""

from time import time

from broker.client.errors import TokenClientError
from broker.client.token import Token
from broker.client.token_client import TokenClient

UNAUTHORIZED = 401


class Sent:
    """A token, and when a request was made with it."""

    __slots__ = ("at", "token")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.at = time()

    def refused(self, status: int, authorization: str | bytes | None) -> bool:
        """Whether this answer speaks about this token.

        `authorization` is the header of the request that was answered: after a redirect to another host libraries
        drop it, and that host's 401 neither condemns the token nor may be answered with the next one.
        """
        if isinstance(authorization, bytes):
            authorization = authorization.decode("latin-1")
        return status == UNAUTHORIZED and authorization == self.token.authorization


class Bearer:
    """The managed token that an adapter uses."""

    def __init__(
        self, name: str, client: TokenClient | None, *, min_valid: float, wait: float, patience: float
    ) -> None:
        self.name = name
        self.min_valid = min_valid
        self.wait = wait
        self.patience = patience
        self._client = client or TokenClient()

    def send(self) -> Sent:
        """The token for a request that is about to be made. Raises TokenClientError."""
        return Sent(self._client.get(self.name, min_valid=self.min_valid, wait=self.wait))

    def again(self, sent: Sent) -> Token | None:
        """Report the refused token; another one, or None if the 401 has to stand."""
        try:
            return self._client.successor(sent.token, requested_at=sent.at, wait=self.patience)
        except TokenClientError:
            return None


class Adapter:
    """Base of the adapters for libraries that ask for tokens synchronously."""

    def __init__(
        self,
        name: str,
        client: TokenClient | None = None,
        *,
        min_valid: float = 0.0,
        wait: float = 0.0,
        patience: float = 5.0,
    ) -> None:
        """`min_valid` and `wait` as of `TokenClient.get`; `patience` is the time for a successor after a 401."""
        self._bearer = Bearer(name, client, min_valid=min_valid, wait=wait, patience=patience)
