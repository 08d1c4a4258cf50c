"""AWS Secrets Manager as a secret backend.

Owns: which action is asked for, with what, and how often. Refuses to know: how credentials are found and clients set
up (`session`), what their errors mean (`errors`), the shapes of answers (`answers`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from backends.aws_secrets_manager import errors
from backends.aws_secrets_manager.answers import CURRENT, Answers, is_arn
from backends.aws_secrets_manager.options import SecretsManagerOptions
from backends.aws_secrets_manager.session import AwsSession
from broker.api import (
    LifeCycle,
    PluginContext,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretDocument,
)

MOST_PAGES = 20
"""As many as a batch has secrets: a next page without one of them is a loop."""


class SecretsManagerBackend:
    """Implements `broker.ports.BatchSecretBackend`; `path` is the name or the whole ARN of a secret."""

    def __init__(self, options: SecretsManagerOptions, context: PluginContext) -> None:
        self._options = options
        self._observer = context.observer
        self._where = f"secret backend {context.name}"
        self._answers = Answers(self._where)
        self._session = AwsSession(options)
        self._may_batch = True

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        # Always the current version, and said so: AWSPENDING may sit on an empty one.
        answer = self._call(
            "get_secret_value", path, timeout_seconds=timeout_seconds, SecretId=path, VersionStage=CURRENT
        )
        return self._answers.document(answer, path)

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        answer = self._call("describe_secret", path, timeout_seconds=timeout_seconds, SecretId=path)
        return self._answers.version(answer, path)

    def read_many(
        self, paths: Sequence[str], *, timeout_seconds: float
    ) -> Mapping[str, SecretDocument | SecretBackendError]:
        # An ARN may be another account's, and this action works within ours only.
        names = [path for path in paths if not is_arn(path)]
        if not self._may_batch or len(names) < 2:  # noqa: PLR2004 - one is no batch
            return {}
        deadline = time.monotonic() + timeout_seconds
        found: dict[str, SecretDocument | SecretBackendError] = {}
        page: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self._asked(
                "batch_get_secret_value",
                "a batch",
                timeout_seconds=timeout_seconds,
                SecretIdList=names,
                **page,
            )
            if isinstance(answer, SecretBackendUnavailable):
                raise answer
            if isinstance(answer, SecretBackendError):
                self._refused_batch(answer)
                return found  # the rest is read one by one, and says what is wrong by itself
            found.update(self._answers.documents(answer, names))
            token = answer.get("NextToken")
            if not isinstance(token, str) or found.keys() >= set(names) or time.monotonic() > deadline:
                break
            page = {"NextToken": token}
        return {name: self._answers.left_out(name) for name in names} | found

    def close(self) -> None:
        self._session.close()

    def _refused_batch(self, refusal: SecretBackendError) -> None:
        """What may be read one by one must not fail because batches are refused."""
        if refusal.code == errors.DENIED:
            self._may_batch = False
            message = (
                f"{self._where}: secrets are read one by one: allow secretsmanager:BatchGetSecretValue "
                "to our role and start again"
            )
            self._observer(LifeCycle(phase="warning", message=message))

    def _call(self, operation: str, path: str, *, timeout_seconds: float, **arguments: str) -> dict[str, Any]:
        answer = self._asked(operation, path, timeout_seconds=timeout_seconds, **arguments)
        if isinstance(answer, SecretBackendError):
            raise answer
        return answer

    def _asked(
        self, operation: str, path: str, *, timeout_seconds: float, **arguments: Any
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
        return answer if isinstance(answer, dict) else self._answers.not_the_service()
