"""The exception tree.

Owns: every error that one room may raise into another, and for each its class (what may be done about it), its
condition (what `status` shows) and a message that is safe to show. Refuses to know: response bodies, secret values,
library exceptions; adapters convert those at the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

ErrorClass = Literal["transient", "throttled", "credential", "configuration", "protocol"]

Condition = Literal[
    "ok",
    "renewing",
    "throttled",
    "unreachable",
    "credential_rejected",
    "awaiting_secret",
    "backend_unreachable",
    "backend_denied",
    "secret_missing",
    "misconfigured",
    "protocol_error",
    "publish_failed",
]


class BrokerError(Exception):
    """An expected failure. `str(error)` is one line, safe to log, and names the thing and the fix.

    `code` refines the class for operators: a registered OAuth `error` value or a short word of ours, never server text.
    """

    error_class: ClassVar[ErrorClass] = "transient"
    condition: ClassVar[Condition] = "unreachable"
    default_code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in the configuration: where (`tokens.deploy.client_secret.path`) and what, never a value."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(BrokerError):
    """The configuration cannot be used; carries every fault at once."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "configuration"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class PluginError(BrokerError):
    """A plug-in that the configuration names is unknown, ambiguous, of another API version, or fails to import."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "plugin"


class PluginUnusable(PluginError):
    """A plug-in that is installed once, under its name, and cannot work as it is."""


def missing_library(error: ImportError) -> str:
    """Which library a plug-in needs, and what to do; the error's own text is left out."""
    library = (error.name or "").partition(".")[0]
    if not library:
        return "cannot import a library that it needs: install it again, with its dependencies"
    if isinstance(error, ModuleNotFoundError):
        return f"needs the library {library!r}, which is not installed: install it where token-broker is"
    return f"cannot use the library {library!r} as installed: install the version that it needs"


class SecretBackendError(BrokerError):
    """Base of everything that a secret backend may raise."""


class SecretNotFound(SecretBackendError):
    """The path or version does not exist, or was deleted or destroyed."""

    error_class = "configuration"
    condition = "secret_missing"
    default_code = "not_found"


class SecretAccessDenied(SecretBackendError):
    """The backend knows us and says no: a policy is missing."""

    error_class = "configuration"
    condition = "backend_denied"
    default_code = "denied"


class SecretMalformed(SecretBackendError):
    """The secret is there but not usable: a field is missing, or a value has forbidden characters."""

    error_class = "configuration"
    condition = "secret_missing"
    default_code = "malformed"


class SecretBackendUnavailable(SecretBackendError):
    """Refused, timed out, sealed, throttled, or our login was refused for now."""

    error_class = "transient"
    condition = "backend_unreachable"
    default_code = "unavailable"


class SecretBackendUnusable(SecretBackendError):
    """The plug-in cannot work as installed: a library or a method is missing, or it fails to import."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "plugin"


class TransportError(BrokerError):
    """No usable HTTP answer: refused, reset, DNS, TLS, or out of time."""

    default_code = "transport"


class AuthorizationServerUnavailable(BrokerError):
    """The authorization server answered 408, 5xx, or nothing that is a token answer: it will pass."""

    default_code = "unavailable"


class Throttled(BrokerError):
    """429, or 503 with Retry-After: the authorization server asks for a pause."""

    error_class = "throttled"
    condition = "throttled"
    default_code = "throttled"


class CredentialRejected(BrokerError):
    """The authorization server does not accept this client's credentials (RFC 6749 5.2, and Keycloak's dialects)."""

    error_class = "credential"
    condition: ClassVar[Condition] = "credential_rejected"
    default_code = "invalid_client"


class AwaitingSecret(CredentialRejected):
    """The client was rejected, and the secret backend still holds what was rejected."""

    condition: ClassVar[Condition] = "awaiting_secret"


class RequestRejected(BrokerError):
    """The request itself is refused: scope, target, grant, or a parameter. Trying again changes nothing."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "invalid_request"


class TokenEndpointMoved(RequestRejected):
    """404, 405 or 410 at the token endpoint: the metadata may be stale and is read once more (R-019)."""

    default_code = "endpoint_gone"


class MetadataError(BrokerError):
    """The authorization server metadata may not be used: issuer mismatch, or an endpoint off the allow-list."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "metadata"


class ProtocolError(BrokerError):
    """The answer breaks the protocol: redirect, malformed JSON, token, expires_in or token_type, too large, encoded."""

    error_class = "protocol"
    condition = "protocol_error"
    default_code = "protocol"


class SinkError(BrokerError):
    """A publication failed; the old content is intact and the sink may be tried again without a new mint."""

    condition = "publish_failed"
    default_code = "publish"


class HookError(BrokerError):
    """A program could not be told of a new token. What was published stays, and the program is told again later."""

    default_code = "hook"
