"""AWS Secrets Manager as a secret backend.

Owns: which version is asked for (AWSCURRENT, always said: R-103), and the shapes of the answers. Refuses to
know: how credentials are found and clients set up (`session`), what their errors mean (`errors`).
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from backends.aws_secrets_manager import errors
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import AwsSession
from broker.api import (
    PluginContext,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretDocument,
    SecretNotFound,
)

CURRENT = "AWSCURRENT"


class SecretsManagerBackend:
    """Implements `broker.ports.SecretBackend`; `path` is the name or the whole ARN of a secret."""

    def __init__(self, options: SecretsManagerOptions, context: PluginContext) -> None:
        self._options = options
        self._where = f"secret backend {context.name}"
        self._session = AwsSession(options)

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        answer = self._call(
            "get_secret_value", path, timeout_seconds=timeout_seconds, SecretId=path, VersionStage=CURRENT
        )
        text, version = answer.get("SecretString"), answer.get("VersionId")
        # botocore has undone the base64 of SecretBinary already.
        whole = text.encode(errors="surrogatepass") if isinstance(text, str) else answer.get("SecretBinary")
        if not isinstance(whole, bytes) or not isinstance(version, str):
            raise self._not_the_service()
        return SecretDocument.of_bytes(whole, version=version)

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        answer = self._call("describe_secret", path, timeout_seconds=timeout_seconds, SecretId=path)
        if answer.get("DeletedDate") is not None:
            raise SecretNotFound(
                f"{self._where}: {path}: is marked for deletion: restore it or name another", code="deleted"
            )
        versions = answer.get("VersionIdsToStages")
        for version, stages in versions.items() if isinstance(versions, dict) else ():
            if CURRENT in stages:
                return str(version)
        if "Name" not in answer:
            raise self._not_the_service()
        raise SecretNotFound(f"{self._where}: {path}: has no version {CURRENT}: store a value")

    def close(self) -> None:
        self._session.close()

    def _call(self, operation: str, path: str, *, timeout_seconds: float, **arguments: str) -> dict[str, Any]:
        answer = self._asked(operation, path, timeout_seconds=timeout_seconds, **arguments)
        if isinstance(answer, SecretBackendError):
            raise answer
        named, told = path.startswith("arn:"), answer.get("ARN")
        if named and told != path:
            whole = f"write it in full, {told}" if isinstance(told, str) else "write it in full"
            raise SecretNotFound(f"{self._where}: {path}: is part of an ARN, or of another secret's: {whole}")
        return answer

    def _asked(
        self, operation: str, path: str, *, timeout_seconds: float, **arguments: str
    ) -> dict[str, Any] | SecretBackendError:
        """The answer, or what went wrong: raised elsewhere, it has none of botocore's errors as its context."""
        try:
            client = self._session.client(timeout_seconds)
        except Exception as error:  # noqa: BLE001 - sources of credentials raise anything
            return errors.from_credentials(error, where=self._where, options=self._options)
        try:
            answer = getattr(client, operation)(**arguments)
        except ClientError as error:
            action = "secretsmanager:" + operation.title().replace("_", "")
            failure = errors.from_service(error, where=self._where, path=path, action=action)
            if failure.code == errors.REFUSED:
                self._session.forget()
            return failure
        except Exception as error:  # noqa: BLE001 - its parser raises anything at an answer of another shape
            return errors.from_library(error, where=self._where)
        return answer if isinstance(answer, dict) else self._not_the_service()

    def _not_the_service(self) -> SecretBackendUnavailable:
        return SecretBackendUnavailable(
            f"{self._where}: the answer is not one of Secrets Manager: is endpoint_url right?"
        )
