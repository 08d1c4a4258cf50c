"""Vault's own aws auth method, loaded into OpenBao, and an STS that it asks.

Owns: the plugin, compiled once and kept (minutes), its mount and role, and the stub of STS, which judges the
signature of what Vault sends on. Refuses to know: how the broker signs.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.backends_vault.signature_judge import Refused, SignatureJudge
from tests.cache import cached, require
from tests.contract.fault_server import Asked, Reply, running_fault_server
from tests.servers.openbao import OpenBao, running_openbao

SOURCE = Path(__file__).parent / "aws_plugin"
PROGRAM = "vault-plugin-auth-aws"
BUILD_SECONDS = 1800.0
ARN = "arn:aws:iam::123456789012:user/token-broker"
ANSWER = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{ARN}</Arn><UserId>AIDAEXAMPLE</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@dataclass
class Sts:
    """A script for the fault server; `verdicts` has a host and a word for each request that Vault sent on."""

    judge: SignatureJudge
    verdicts: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        host = asked.headers["host"]
        try:
            self.judge.judge_signature(asked.headers, asked.body.decode())
        except Refused as refusal:
            self.verdicts.append((host, str(refusal)))
            return Reply(403, b"<ErrorResponse/>", {"Content-Type": "text/xml"})
        self.verdicts.append((host, "accepted"))
        return Reply(200, ANSWER.encode(), {"Content-Type": "text/xml"})


def plugin_directory() -> Path:
    """The directory of the compiled plugin."""
    go = require("go", "apt-get install golang-go")
    sources = [SOURCE / name for name in ("main.go", "go.mod", "go.sum")]

    def build(directory: Path) -> None:
        subprocess.run(
            [go, "build", "-trimpath", "-ldflags=-s -w", "-o", directory / PROGRAM, "."],
            cwd=SOURCE,
            timeout=BUILD_SECONDS,
            check=True,
        )

    return cached("vault-aws-method", "\n".join(source.read_text() for source in sources), build)


@contextmanager
def running_vault_with_aws(directory: Path, judge: SignatureJudge) -> Iterator[tuple[OpenBao, Sts]]:
    """OpenBao with the method at `aws`, which asks this STS and expects the server id of the judge."""
    plugins, sts = plugin_directory(), Sts(judge)
    configuration = f'plugin_directory = "{plugins}"\n'
    with (
        running_fault_server(sts) as server,
        running_openbao(directory, configuration=configuration) as openbao,
    ):
        digest = hashlib.sha256((plugins / PROGRAM).read_bytes()).hexdigest()
        openbao.request("PUT", "sys/plugins/catalog/auth/aws", {"sha256": digest, "command": PROGRAM})
        openbao.request("POST", "sys/auth/aws", {"type": "aws"})
        client = {
            "access_key": "unused",
            "secret_key": "unused",
            "sts_endpoint": server.url,
            "sts_region": judge.region,
            "iam_server_id_header_value": judge.server_id,
        }
        openbao.request("POST", "auth/aws/config/client", client)
        yield openbao, sts
