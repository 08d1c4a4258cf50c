"""Method aws: a request to AWS's STS, signed here and sent by Vault, which so learns whose signature it is.

Owns: the signed request, in the region that is configured, and the parameters that carry it. Refuses to know: where
credentials come from (`aws_credentials`). The secret key signs and is never sent (R-101).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import UnknownRegionError

from backends.vault.methods.aws_credentials import AwsCredentials
from backends.vault.methods.desk import Desk, login_at
from backends.vault.options import Aws
from backends.vault.token import HeldToken
from broker.api import SecretBackendUnavailable

NO_SOURCE = "none are set: give keys, a web identity or a container role in the environment"
BODY = "Action=GetCallerIdentity&Version=2011-06-15"


@dataclass(frozen=True, slots=True)
class AwsMethod:
    """`auth/aws/login` of type iam."""

    name: ClassVar[str] = "aws"
    owns_token: ClassVar[bool] = True
    follows_files: ClassVar[bool] = False
    options: Aws
    desk: Desk

    def identity(self) -> object:
        return None

    def log_in(self, now: float, deadline: float) -> HeldToken:
        options = self.options
        return self.desk.log_in(
            login_at(options.mount, {"role": options.role, **self._signed()}),
            now=now,
            deadline=deadline,
            mount=options.mount,
            doubt=f"is our AWS identity bound to role {options.role}, the clock right, server_id_header what the mount "
            f"expects, and its sts_endpoint that of {options.region}?",
        )

    def _signed(self) -> dict[str, str]:
        host, frozen, failure = None, None, NO_SOURCE
        try:
            source = AwsCredentials(self.options.region)  # looked for at each login, as files are
            host, frozen = source.sts_host(), source.frozen()
        except UnknownRegionError:
            failure = f"auth.region: AWS has no region {self.options.region}"
        except Exception as error:  # noqa: BLE001 - sources raise anything, with what they sent in the text
            failure = f"their source failed ({type(error).__name__})"
        if host is None or frozen is None:
            raise SecretBackendUnavailable(
                f"{self.desk.where}: login by method aws needs AWS credentials: {failure}",
                code="no_credentials",
            )
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": host}
        if self.options.server_id_header is not None:
            headers["X-Vault-AWS-IAM-Server-ID"] = self.options.server_id_header
        request = AWSRequest(method="POST", url=f"https://{host}/", headers=headers, data=BODY)
        SigV4Auth(frozen, "sts", self.options.region).add_auth(request)
        return _parameters(request)


def _parameters(request: Any) -> dict[str, str]:
    headers = json.dumps({name: [value] for name, value in request.headers.items()})
    return {
        "iam_http_request_method": request.method,
        "iam_request_url": _base64(request.url),
        "iam_request_headers": _base64(headers),
        "iam_request_body": _base64(BODY),
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
