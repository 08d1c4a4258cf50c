"""What the daemon keeps in memory: idle with each backend, and for each managed token.

Owns: the runs and the figures. Without OpenBao its figures are left out.

usage: python -m tests.bench.daemon_memory [TOKENS ...]
"""

from __future__ import annotations

import json
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.daemon_place import DaemonPlace, Issuer, running_issuer
from tests.bench.figures import Figure, head, line
from tests.bench.memory import anonymous_kib, private_kib
from tests.contract.aws.imitation import ROLE
from tests.contract.aws.store import Store
from tests.contract.fault_server import FaultServer, running_fault_server
from tests.servers.openbao import OpenBao, running_openbao

SETTLE_SECONDS = 1.0
"""Publications are followed by a few more events; what they need is let go then."""

_BACKEND = """\
type = "vault"
url = "{url}"
{trust}
auth = {{ method = "approle", role_id_file = "{directory}/role-id", secret_id_file = "{directory}/secret-id" }}
"""


def measure(*, tokens: Sequence[int]) -> Iterator[Figure]:
    """`tokens` are the sizes of the large configurations."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, running_issuer(Path(place)) as issuer:
        directory = Path(place)
        if Path(sysconfig.get_path("scripts"), "bao").exists():
            for tls, what, bar in ((False, "", 48.0), (True, ", with cache and TLS", 64.0)):
                with running_openbao(_made(directory / f"bao-{tls}"), tls=tls) as openbao:
                    idle = _run(_vault_place(directory / f"vault-{tls}", issuer, openbao, cache=tls))
                name = f"memory, idle with the vault backend{what}"
                yield Figure(what=name, value=idle.mib, unit="MiB", bar=bar, aim=40.0)
        store = Store()
        store.secrets["secret"] = json.dumps({"client_secret": issuer.client_secret})
        with running_fault_server(store) as aws:
            idle = _run(_aws_place(directory / "aws", issuer, aws))
        yield Figure(what="memory, idle with the AWS backend and a role", value=idle.mib, unit="MiB")
        one = _run(DaemonPlace(directory / "1", issuer))
        yield Figure(what="memory, idle with the file backend, 1 managed token", value=one.mib, unit="MiB")
        for count in tokens:
            many = _run(DaemonPlace(directory / str(count), issuer, tokens=count))
            each = (many.anonymous_kib - one.anonymous_kib) / (count - 1)
            yield Figure(
                what=f"memory for each managed token, {count} of them",
                value=each,
                unit="KiB",
                bar=8.0,
                aim=2.0,
            )
            yield Figure(what=f"  cold start to {count} published tokens", value=many.start_seconds, unit="s")


@dataclass(frozen=True, slots=True)
class _Idle:
    """A daemon that has published everything."""

    start_seconds: float
    mib: float
    anonymous_kib: float


def _run(place: DaemonPlace) -> _Idle:
    with place.running() as (pid, began):
        seconds = place.published() - began
        threading.Event().wait(SETTLE_SECONDS)
        return _Idle(seconds, private_kib(pid) / 1024, anonymous_kib(pid))


def _vault_place(directory: Path, issuer: Issuer, openbao: OpenBao, *, cache: bool) -> DaemonPlace:
    openbao.put_secret("secret", {"client_secret": issuer.client_secret})
    role = openbao.approle([openbao.allow_reading("bench", "secret/data/*", "secret/metadata/*")])
    trust = f'ca_file = "{openbao.ca_file}"' if openbao.ca_file else "allow_insecure_loopback = true"
    backend = _BACKEND.format(url=openbao.url, trust=trust, directory=directory)
    place = DaemonPlace(directory, issuer, backend=backend, cache=cache)
    for name, value in (("role-id", role.role_id), ("secret-id", role.secret_id)):
        (directory / name).write_text(value)
        (directory / name).chmod(0o600)
    return place


def _aws_place(directory: Path, issuer: Issuer, aws: FaultServer) -> DaemonPlace:
    backend = (
        f'type = "aws-secrets-manager"\nregion = "eu-west-1"\nendpoint_url = "{aws.url}"\n'
        f'allow_insecure_loopback = true\nrole_arn = "{ROLE}"\n'
    )
    keys = {"AWS_ACCESS_KEY_ID": "BENCH", "AWS_SECRET_ACCESS_KEY": "bench"}
    return DaemonPlace(directory, issuer, backend=backend, environment=keys)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


if __name__ == "__main__":
    print(head())
    for each_figure in measure(tokens=[int(word) for word in sys.argv[1:]] or [1000]):
        print(line(each_figure), flush=True)
