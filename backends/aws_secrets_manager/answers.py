"""The shapes of what Secrets Manager answers.

Owns: what is believed of GetSecretValue, DescribeSecret and BatchGetSecretValue. Refuses to know: how they are asked.
Answers are checked, not trusted: something else may stand at the configured endpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from backends.aws_secrets_manager import errors
from broker.api import SecretBackendError, SecretBackendUnavailable, SecretDocument, SecretNotFound

CURRENT = "AWSCURRENT"


class Answers:
    """For one backend; `where` names it in errors."""

    def __init__(self, where: str) -> None:
        self._where = where

    def document(self, answer: Mapping[str, Any], path: str) -> SecretDocument:
        """A value with its version. Raises SecretBackendError."""
        self._refuse_another(answer, path)
        text, version = answer.get("SecretString"), answer.get("VersionId")
        # botocore has undone the base64 of SecretBinary already.
        whole = text.encode(errors="surrogatepass") if isinstance(text, str) else answer.get("SecretBinary")
        if not isinstance(whole, bytes) or not isinstance(version, str):
            raise self.not_the_service()
        return SecretDocument.of_bytes(whole, version=version)

    def version(self, answer: Mapping[str, Any], path: str) -> str:
        """The id of the current version (R-104). Raises SecretBackendError."""
        self._refuse_another(answer, path)
        if answer.get("DeletedDate") is not None:
            raise SecretNotFound(
                f"{self._where}: {path}: is marked for deletion: restore it or name another", code="deleted"
            )
        versions = answer.get("VersionIdsToStages")
        for version, stages in versions.items() if isinstance(versions, dict) else ():
            if CURRENT in stages:
                return str(version)
        if "Name" not in answer:
            raise self.not_the_service()
        raise SecretNotFound(f"{self._where}: {path}: has no version {CURRENT}: store a value")

    def documents(
        self, answer: Mapping[str, Any], names: Collection[str]
    ) -> dict[str, SecretDocument | SecretBackendError]:
        """What one page of a batch has for these names; each has its own error, if any (R-107).

        Raises SecretBackendUnavailable for what is no page.
        """
        if "SecretValues" not in answer and "Errors" not in answer:
            raise self.not_the_service()
        values, failed = answer.get("SecretValues", []), answer.get("Errors", [])
        found: dict[str, SecretDocument | SecretBackendError] = {}
        for value in values if isinstance(values, list) else ():
            name = value.get("Name")
            # The action takes no stage: that it gave the current version has to be seen.
            if name in names and CURRENT in value.get("VersionStages", ()):
                found[name] = self._outcome(value, name)
        for item in failed if isinstance(failed, list) else ():
            name, code = item.get("SecretId"), str(item.get("ErrorCode"))
            if name in names:
                error = errors.about_secret(
                    code, where=self._where, path=name, action="secretsmanager:GetSecretValue"
                )
                unknown = SecretBackendUnavailable(
                    f"{self._where}: {name}: the service failed within a batch"
                )
                found[name] = error or unknown
        return found

    def left_out(self, name: str) -> SecretBackendUnavailable:
        """For what a batch was asked for and says nothing about."""
        return SecretBackendUnavailable(
            f"{self._where}: {name}: a batch has no current value for it, nor an error"
        )

    def not_the_service(self) -> SecretBackendUnavailable:
        """For an answer of another shape."""
        return SecretBackendUnavailable(
            f"{self._where}: the answer is not one of Secrets Manager: is endpoint_url right?"
        )

    def _outcome(self, value: Mapping[str, Any], name: str) -> SecretDocument | SecretBackendError:
        try:
            return self.document(value, name)
        except SecretBackendError as error:
            return error

    def _refuse_another(self, answer: Mapping[str, Any], path: str) -> None:
        """AWS takes a part of an ARN, and then any secret whose ARN begins with it (R-106)."""
        told = answer.get("ARN")
        if is_arn(path) and told != path:
            whole = f"write it in full, {told}" if isinstance(told, str) else "write it in full"
            raise SecretNotFound(f"{self._where}: {path}: is part of an ARN, or of another secret's: {whole}")


def is_arn(path: str) -> bool:
    """Whether a secret is named by its ARN."""
    return path.startswith("arn:")
