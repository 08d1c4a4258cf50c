"""Vault's aws method and the STS behind it, in one: it judges the signature of the request that a login carries.

Owns: the steps of AWS Signature Version 4 written out from its specification, with none of AWS's libraries, and the
rules of Vault for the request that it would send on. It stands in for both, since OpenBao has no aws method and
nothing but loopback is asked. Refuses to know: how the broker signs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contract.fault_server import Asked, Reply

LOGIN = "/v1/auth/aws/login"
SERVER_ID = "x-vault-aws-iam-server-id"
TOKEN = "S3CR3T-vault-token"
SECRET = {"data": {"data": {"client_secret": "S3CR3T-behind-aws"}, "metadata": {"version": 1}}}


class Refused(Exception):
    """What is wrong with the request; for the test's eyes."""


@dataclass
class SignatureJudge:
    """A script for the fault server. `keys` maps access key ids to secret keys."""

    keys: Mapping[str, str]
    host: str
    region: str
    role: str = "deploy"
    server_id: str | None = None
    session_token: str | None = None
    verdicts: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != LOGIN:
            known = asked.headers.get("x-vault-token") == TOKEN
            return Reply(body=SECRET) if known else Reply(403, {"errors": []})
        try:
            self.judge(json.loads(asked.body))
        except Refused as refusal:
            self.verdicts.append(str(refusal))
            return Reply(400, {"errors": [str(refusal)]})
        self.verdicts.append("accepted")
        granted = {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}
        return Reply(body={"auth": granted})

    def judge(self, login: Mapping[str, str]) -> None:
        """Raise Refused unless the login carries a GetCallerIdentity that STS would take."""
        url, body = (base64.b64decode(login[f"iam_request_{part}"]).decode() for part in ("url", "body"))
        given = json.loads(base64.b64decode(login["iam_request_headers"]))
        headers = {name.lower(): " ".join(values) for name, values in given.items()}
        expected = {
            "role": (self.role, login["role"]),
            "method": ("POST", login["iam_http_request_method"]),
            "url": (f"https://{self.host}/", url),
            "host": (self.host, headers.get("host")),
            "body": ("Action=GetCallerIdentity&Version=2011-06-15", body),
            "server id": (self.server_id, headers.get(SERVER_ID)),
            "session token": (self.session_token, headers.get("x-amz-security-token")),
        }
        for what, (right, found) in expected.items():
            if right != found:
                raise Refused(f"{what}: {found!r}, not {right!r}")
        self.judge_signature(headers, body)

    def judge_signature(self, headers: Mapping[str, str], body: str) -> None:
        """Raise Refused unless it is the signature of these headers, which are in lower case, and of this body."""
        algorithm, _, rest = headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        key_id, date, region, service, end = parts["Credential"].split("/")
        time = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signed = parts["SignedHeaders"].split(";")
        must_be_signed = {"host", "x-amz-date"} | ({SERVER_ID} if self.server_id else set())
        if self.session_token:
            must_be_signed.add("x-amz-security-token")
        scope = ("AWS4-HMAC-SHA256", self.region, "sts", "aws4_request", f"{time:%Y%m%d}")
        if scope != (algorithm, region, service, end, date):
            raise Refused(f"scope {parts['Credential']}")
        if abs(datetime.now(UTC) - time) > timedelta(minutes=15):
            raise Refused("signed at another time")
        if not must_be_signed <= set(signed) or signed != sorted(signed):
            raise Refused(f"signed headers {signed}")
        if key_id not in self.keys:
            raise Refused("unknown access key")
        canonical = "\n".join(
            ["POST", "/", "", *(f"{name}:{headers[name].strip()}" for name in signed), "", ";".join(signed)]
        )
        canonical += "\n" + hashlib.sha256(body.encode()).hexdigest()
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([algorithm, headers["x-amz-date"], f"{date}/{region}/{service}/{end}", digest])
        key = f"AWS4{self.keys[key_id]}".encode()
        for step in (date, region, service, end):
            key = _mac(key, step)
        if not hmac.compare_digest(_mac(key, text).hex(), parts["Signature"]):
            raise Refused("signature")


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def example_of_the_specification() -> dict[str, Any]:
    """AWS's published example of a derived signing key, to judge the judge by."""
    key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    for step in ("20150830", "us-east-1", "iam", "aws4_request"):
        key = _mac(key, step)
    return {
        "derived": key.hex(),
        "published": "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
    }
