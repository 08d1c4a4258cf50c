"""AWS Secrets Manager as a secret backend.

Owns: which version is asked for (AWSCURRENT, always said: R-103), and the shapes of the answers. Refuses to
know: how the client is set up (`session`), what its errors mean (`errors`).
"""

from __future__ import annotations

import threading
from typing import Any

from botocore.exceptions import ClientError

from backends.aws_secrets_manager.errors import from_library, from_service
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import new_client
from broker.api import (
    PluginContext,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretDocument,
    SecretNotFound,
)

CURRENT = "AWSCURRENT"


class SecretsManagerBackend:
    """Implements `broker.ports.SecretBackend`; `path` is the name or ARN of a secret.

    botocore sets timeouts per client: one is kept, and made anew for a caller with another patience.
    """

    def __init__(self, options: SecretsManagerOptions, context: PluginContext) -> None:
        self._options = options
        self._where = f"secret backend {context.name}"
        self._lock = threading.Lock()
        self._client: Any = None
        self._client_seconds = 0.0

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
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _call(self, operation: str, path: str, *, timeout_seconds: float, **arguments: str) -> dict[str, Any]:
        failure: SecretBackendError
        try:
            answer = getattr(self._ready_client(timeout_seconds), operation)(**arguments)
        except ClientError as error:
            action = "secretsmanager:" + operation.title().replace("_", "")
            failure = from_service(error, where=self._where, path=path, action=action)
        except Exception as error:  # noqa: BLE001 - its parser raises anything at an answer of another shape
            failure = from_library(error, where=self._where)
        else:
            if isinstance(answer, dict):
                return answer
            failure = self._not_the_service()
        raise failure

    def _ready_client(self, timeout_seconds: float) -> Any:
        with self._lock:
            if self._client is None or timeout_seconds != self._client_seconds:
                self._client = new_client(self._options, timeout_seconds=timeout_seconds)
                self._client_seconds = timeout_seconds
            return self._client

    def _not_the_service(self) -> SecretBackendUnavailable:
        return SecretBackendUnavailable(
            f"{self._where}: the answer is not one of Secrets Manager: is endpoint_url right?"
        )
