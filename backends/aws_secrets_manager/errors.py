"""What botocore's errors mean.

Owns: the conversion of everything that a call may raise. Refuses to know: the texts of the service and of the
library; they may quote what was sent or received, so only names and statuses are looked at.
"""

from __future__ import annotations

from botocore import exceptions

from broker.api import SecretAccessDenied, SecretBackendError, SecretBackendUnavailable, SecretNotFound

_CREDENTIALS = "the credentials are not accepted: are they expired, and of the right account?"
_CLOCK = "the signature is not accepted: is the clock of this machine right?"
_THROTTLED = "asks for a pause"

_UNAVAILABLE: dict[str, tuple[str, str]] = {
    "ExpiredToken": (_CREDENTIALS, "login_refused"),
    "ExpiredTokenException": (_CREDENTIALS, "login_refused"),
    "IncompleteSignature": (_CREDENTIALS, "login_refused"),
    "InvalidClientTokenId": (_CREDENTIALS, "login_refused"),
    "MissingAuthenticationToken": (_CREDENTIALS, "login_refused"),
    "OptInRequired": (_CREDENTIALS, "login_refused"),
    "UnrecognizedClientException": (_CREDENTIALS, "login_refused"),
    "InvalidSignatureException": (_CLOCK, "clock"),
    "RequestExpired": (_CLOCK, "clock"),
    "RequestTimeTooSkewed": (_CLOCK, "clock"),
    "SignatureDoesNotMatch": (_CLOCK, "clock"),
    "RequestLimitExceeded": (_THROTTLED, "throttled"),
    "Throttling": (_THROTTLED, "throttled"),
    "ThrottlingException": (_THROTTLED, "throttled"),
    "TooManyRequestsException": (_THROTTLED, "throttled"),
}
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
_MISNAMED = frozenset({"InvalidParameterException", "ValidationException"})


def from_service(error: exceptions.ClientError, *, where: str, path: str, action: str) -> SecretBackendError:
    """For an answer that is an error; `action` is the IAM action that was needed."""
    found = error.response.get("Error", {})
    code = found.get("Code") if isinstance(found, dict) else None
    about = f"{where}: {path}"
    match code:
        case "ResourceNotFoundException":
            return SecretNotFound(
                f"{about}: no such secret, or none with the stage AWSCURRENT: are name and region right?"
            )
        case "InvalidRequestException":
            return SecretNotFound(
                f"{about}: is marked for deletion: restore it or name another", code="deleted"
            )
        case "DecryptionFailure":
            return SecretAccessDenied(
                f"{about}: KMS does not decrypt it: is its key enabled, and are we allowed kms:Decrypt?",
                code="decryption",
            )
        case str() if code in _DENIED:
            return SecretAccessDenied(
                f"{about}: access denied: allow {action} on it, and kms:Decrypt on its key, to our role"
            )
        case str() if code in _MISNAMED:
            return SecretNotFound(f"{about}: is not a name or ARN of a secret")
        case str() if code in _UNAVAILABLE:
            meaning, short = _UNAVAILABLE[code]
            return SecretBackendUnavailable(f"{where}: the service says: {meaning}", code=short)
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode") if isinstance(metadata, dict) else None
    return SecretBackendUnavailable(f"{where}: the service failed (status {status})")


def from_library(error: Exception, *, where: str) -> SecretBackendError:
    """For a call that got no answer, or that the library did not make."""
    match error:
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            why = "no AWS credentials: set keys, a web identity or a container role in the environment"
            return SecretBackendUnavailable(f"{where}: {why}", code="no_credentials")
        case exceptions.CredentialRetrievalError() | exceptions.MetadataRetrievalError():
            return SecretBackendUnavailable(
                f"{where}: the source of AWS credentials failed", code="no_credentials"
            )
        case exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            reason = "no answer in time"
        case exceptions.SSLError():
            reason = "the TLS certificate is not trusted"
        case exceptions.EndpointConnectionError():
            reason = "connection refused, or the host name cannot be resolved"
        case _:
            reason = f"no usable answer ({type(error).__name__})"
    return SecretBackendUnavailable(f"{where}: {reason}")
