"""What programs import to read tokens from a running token-broker: the standard library and nothing else.

    from broker.client import TokenClient
    token = TokenClient().get("deploy", min_valid=60)
    headers = {"Authorization": token.authorization}

    from broker.client import RequestsAuth
    requests.get("https://api.example/", auth=RequestsAuth("deploy"))

Owns: the public names, each loaded at its first use so that the command line pays only for what it needs.
Refuses to know: anything of the daemon but its socket API.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client import aio as aio
    from broker.client.botocore_auth import BotocoreAuth as BotocoreAuth
    from broker.client.errors import (
        AccessDenied,
        BrokerUnreachable,
        RequestInvalid,
        TokenClientError,
        TokenUnavailable,
        TryAgainLater,
        UnexpectedAnswer,
    )
    from broker.client.httpx_auth import HttpxAuth as HttpxAuth
    from broker.client.requests_auth import RequestsAuth as RequestsAuth
    from broker.client.token import Token
    from broker.client.token_client import TokenClient

_MODULES = {
    "Token": "token",
    "TokenClient": "token_client",
    "RequestsAuth": "requests_auth",
    "HttpxAuth": "httpx_auth",
    "BotocoreAuth": "botocore_auth",
}

# What needs nothing that may be absent: `from broker.client import *` must not fail for the want of httpx.
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
    if name == "aio":
        value: object = __import__("broker.client.aio", fromlist=["TokenClient"])
    elif name in _MODULES or name in __all__:
        module = __import__(f"broker.client.{_MODULES.get(name, 'errors')}", fromlist=[name])
        value = getattr(module, name)
    else:
        raise AttributeError(f"module 'broker.client' has no attribute {name!r}")
    globals()[name] = value
    return value
