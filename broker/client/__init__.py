"""What programs import to read tokens from a running token-broker: the standard library and nothing else.

    from broker.client import TokenClient
    token = TokenClient().get("deploy", min_valid=60)
    headers = {"Authorization": f"Bearer {token.access_token}"}

Owns: the public names, each loaded at its first use so that the command line pays only for what it needs.
Refuses to know: anything of the daemon but its socket API.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.errors import (
        AccessDenied,
        BrokerUnreachable,
        RequestInvalid,
        TokenClientError,
        TokenUnavailable,
        TryAgainLater,
        UnexpectedAnswer,
    )
    from broker.client.token import Token, TokenClient

_MODULES = {"Token": "broker.client.token", "TokenClient": "broker.client.token"}

__all__ = [
    "AccessDenied",
    "BrokerUnreachable",
    "RequestInvalid",
    "Token",
    "TokenClient",
    "TokenClientError",
    "TokenUnavailable",
    "TryAgainLater",
    "UnexpectedAnswer",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'broker.client' has no attribute {name!r}")
    module = __import__(_MODULES.get(name, "broker.client.errors"), fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value
