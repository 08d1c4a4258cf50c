"""The secret that logins are for, and the policy that lets a role read it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.servers.openbao import OpenBao

SECRET = "S3CR3T-behind-a-login"


@dataclass(frozen=True, slots=True)
class Readable:
    """A secret, and the policy for it."""

    path: str
    policy: str


def readable(openbao: OpenBao, request: pytest.FixtureRequest) -> Readable:
    """Store a secret of the test's own, and a policy that allows reading it and nothing else."""
    name = request.node.name
    path = f"logins/{name}"
    openbao.put_secret(path, {"client_secret": SECRET})
    return Readable(path, openbao.allow_reading(name, f"secret/data/{path}", f"secret/metadata/{path}"))
