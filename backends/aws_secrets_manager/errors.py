"""What botocore's errors mean.

Owns: the conversion of everything that a call may raise. Refuses to know: the texts of the service and of the
library; they may quote what was sent or received, so only names, statuses and the time of the answer are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions

from backends.aws_secrets_manager.credentials import PersonWantedError
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import SecretAccessDenied, SecretBackendError, SecretBackendUnavailable, SecretNotFound

REFUSED = "login_refused"
SKEW_SECONDS = 240.0
"""AWS refuses what was signed more than five minutes ago, or is to be signed in five minutes."""

DENIED = SecretAccessDenied.default_code
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
_MISNAMED = frozenset({"InvalidParameterException", "ValidationException"})
_REFUSED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)
_CLOCK = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "429",
    }
)
_WEB_IDENTITY = frozenset({"IDPRejectedClaim", "InvalidIdentityToken"})


def from_service(error: exceptions.ClientError, *, where: str, path: str, action: str) -> SecretBackendError:
    """For an answer of Secrets Manager that is an error; `action` is the IAM action that was needed."""
    return about_secret(_code(error), where=where, path=path, action=action) or _about_us(error, where=where)


def about_secret(code: str, *, where: str, path: str, action: str) -> SecretBackendError | None:
    """For an error that concerns one secret, alone or in a batch; None for one that concerns us."""
    about = f"{where}: {path}"
    match code:
        case "ResourceNotFoundException":
            return SecretNotFound(
                f"{about}: no such secret, or none with the stage AWSCURRENT: are name and region right? "
                "In another account it is found by its whole ARN only"
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
        case _ if code in _DENIED:
            return SecretAccessDenied(
                f"{about}: access denied: allow {action} on it, and kms:Decrypt on its key, to our role"
            )
        case _ if code in _MISNAMED:
            return SecretNotFound(f"{about}: is not a name or ARN of a secret")
    return None


def from_credentials(error: Exception, *, where: str, options: SecretsManagerOptions) -> SecretBackendError:
    """For what went wrong before Secrets Manager was asked."""
    profile = f"profile {options.profile!r}" if options.profile is not None else "the default profile"
    match error:
        case exceptions.ClientError():
            return _from_sts(error, where=where, options=options)
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            why = "no AWS credentials: set keys, a web identity or a container role in the environment"
            if options.profile is not None:
                why = f"{profile} of ~/.aws gives no AWS credentials, and this host has no role"
        case exceptions.ProfileNotFound():
            why = f"there is no {profile} in ~/.aws/config or ~/.aws/credentials of our user"
        case exceptions.CredentialRetrievalError() | exceptions.MetadataRetrievalError():
            why = "the source of AWS credentials failed"
        case exceptions.InvalidConfigError() | exceptions.ConfigParseError():
            why = f"{profile} of ~/.aws is incomplete or not valid"
        case PersonWantedError():
            why = f"{profile} of ~/.aws asks a person for a code: use one without mfa_serial"
        case RuntimeError():  # botocore's word for it
            why = "the source of AWS credentials gives expired ones: is the clock of this machine right?"
        case OSError() | ValueError():
            why = (
                "a file with a token is not readable, or holds more than one line: see "
                "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
            )
        case exceptions.BotoCoreError():
            why = f"the source of AWS credentials: {_trouble(error)}"
        case _:
            why = f"the source of AWS credentials gives something else ({type(error).__name__})"
    return SecretBackendUnavailable(f"{where}: {why}", code="no_credentials")


def from_library(error: Exception, *, where: str) -> SecretBackendError:
    """For a call that got no answer, or that the library did not make."""
    return SecretBackendUnavailable(f"{where}: {_trouble(error)}")


def _from_sts(
    error: exceptions.ClientError, *, where: str, options: SecretsManagerOptions
) -> SecretBackendError:
    code = _code(error)
    if code in _DENIED and error.operation_name == "AssumeRole" and options.role_arn is not None:
        external = ", and is external_id right?" if options.external_id else "?"
        return SecretAccessDenied(
            f"{where}: we may not assume {options.role_arn}: are we allowed sts:AssumeRole on it, does its trust "
            f"policy name us{external}",
            code="role_denied",
        )
    if code in _DENIED:
        return SecretAccessDenied(
            f"{where}: AWS refuses us the role of our web identity or profile: does its trust policy name us?",
            code="role_denied",
        )
    if code in _WEB_IDENTITY:
        why = "the web identity is not accepted: does AWS know its issuer and audience?"
        return SecretBackendUnavailable(f"{where}: {why}", code=REFUSED)
    return _about_us(error, where=where)


def _about_us(error: exceptions.ClientError, *, where: str) -> SecretBackendUnavailable:
    code = _code(error)
    if code in _REFUSED:
        return SecretBackendUnavailable(
            f"{where}: AWS does not accept the credentials: are they expired, and of the right account?",
            code=REFUSED,
        )
    skew = _skew_seconds(error)
    if code in _CLOCK or (code in _SIGNATURE and (skew is None or abs(skew) > SKEW_SECONDS)):
        side = "ahead of" if skew is None or skew > 0 else "behind"
        by = f"is {abs(skew):.0f} s {side} AWS's" if skew is not None else "may not be right"
        return SecretBackendUnavailable(
            f"{where}: AWS does not accept the signature: the clock of this machine {by}", code="clock"
        )
    if code in _SIGNATURE:
        return SecretBackendUnavailable(
            f"{where}: AWS does not accept the signature: is the secret access key that of the access key id?",
            code=REFUSED,
        )
    if code in _THROTTLED:
        return SecretBackendUnavailable(
            f"{where}: AWS asks for a pause", code="throttled", retry_after_seconds=_pause_seconds(error)
        )
    status = _metadata(error).get("HTTPStatusCode")
    return SecretBackendUnavailable(
        f"{where}: the service failed (status {status})", retry_after_seconds=_pause_seconds(error)
    )


def _trouble(error: Exception) -> str:
    match error:
        case exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            return "no answer in time"
        case exceptions.SSLError():
            return "the TLS certificate is not trusted"
        case exceptions.EndpointConnectionError():
            return "connection refused, or the host name cannot be resolved"
    return f"no usable answer ({type(error).__name__})"


def _code(error: exceptions.ClientError) -> str:
    found = error.response.get("Error", {})
    return str(found.get("Code")) if isinstance(found, dict) else ""


def _metadata(error: exceptions.ClientError) -> Mapping[str, Any]:
    found = error.response.get("ResponseMetadata", {})
    return found if isinstance(found, dict) else {}


def _header(error: exceptions.ClientError, name: str) -> str:
    headers = _metadata(error).get("HTTPHeaders", {})
    return str(headers.get(name, "")) if isinstance(headers, Mapping) else ""


def _pause_seconds(error: exceptions.ClientError) -> float | None:
    seconds = _header(error, "retry-after")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None


def _skew_seconds(error: exceptions.ClientError) -> float | None:
    """How far our clock is ahead of the one that dated the answer."""
    try:
        answered = parsedate_to_datetime(_header(error, "date"))
        return (datetime.now(UTC) - answered).total_seconds()
    except (TypeError, ValueError):
        return None
