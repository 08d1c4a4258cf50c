"""Certificates and protocols of authorization servers that are not as they should be (F-14)."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import trustme

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.faults.daemons import authorization_server, token

Server = DevelopmentAuthorizationServer

Mend = Callable[[], None]


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context; new connections obey later changes to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def expired(authority: trustme.CA) -> tuple[ssl.SSLContext, Mend]:
    """Since yesterday."""
    yesterday = dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=1)
    context = serving(authority.issue_cert("127.0.0.1", not_after=yesterday))
    return context, lambda: authority.issue_cert("127.0.0.1").configure_cert(context)


def of_another_host(authority: trustme.CA) -> tuple[ssl.SSLContext, Mend]:
    """Issued by the right authority to somebody else."""
    context = serving(authority.issue_cert("login.example"))
    return context, lambda: authority.issue_cert("127.0.0.1").configure_cert(context)


def of_another_authority(authority: trustme.CA) -> tuple[ssl.SSLContext, Mend]:
    """Nobody here knows it."""
    context = serving(trustme.CA().issue_cert("127.0.0.1"))
    return context, lambda: authority.issue_cert("127.0.0.1").configure_cert(context)


def of_old_protocols(authority: trustme.CA) -> tuple[ssl.SSLContext, Mend]:
    """TLS 1.0 and 1.1, and nothing that is still allowed."""
    context = serving(authority.issue_cert("127.0.0.1"))
    modern = context.maximum_version
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    def mend() -> None:
        context.maximum_version = modern

    return context, mend


WRONG: Final = {
    "expired": (expired, "certificate has expired"),
    "another-host": (of_another_host, "certificate is not valid for '127.0.0.1'"),
    "another-authority": (of_another_authority, "certificate"),
    "old-protocols": (of_old_protocols, "TLS"),
}
"""What is wrong, and words of the reason that the operator is told."""


def test_nothing_is_sent_to_a_server_that_is_not_believed(tmp_path: Path, server: Server) -> None:
    """F-14: unreachable, with the reason, and not a request leaves; mended servers are used without a restart."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    store(tmp_path, server.register("deploy").reveal())
    tables = local_tables(server, tmp_path)
    with ExitStack() as stack:
        servers: dict[str, tuple[Server, Mend]] = {}
        for name, (wrong, _) in WRONG.items():
            context, mend = wrong(authority)
            other = stack.enter_context(Server(marker="S3CR3T-", tls=context))
            secret = other.register(name).reveal()
            (tmp_path / "secrets" / name).write_text(json.dumps({"client_secret": secret}))
            tables += authorization_server(
                name, other.discovery_url, other.issuer, trust=f'ca_file = "{tmp_path}/ca.pem"'
            ) + token(name, server=name, client=name)
            servers[name] = other, mend
        daemon = stack.enter_context(Daemon(tmp_path, tables))
        for name, (_, words) in WRONG.items():
            record = daemon.wait_for(name=name, condition="unreachable", state="absent")
            assert words in record["reason"]
        assert {0} == {other.ledger.count() for other, _ in servers.values()}
        for _, mend in servers.values():
            mend()
        for name in WRONG:
            daemon.wait_for(name=name, state="fresh", condition="ok")


def test_new_authority_is_noticed_without_a_restart(tmp_path: Path) -> None:
    """F-14, a change of authorities: `ca_file` is replaced, and believed at the next attempt."""
    authority = trustme.CA()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with ExitStack() as stack:
        context = serving(authority.issue_cert("127.0.0.1"))
        server = stack.enter_context(Server(marker="S3CR3T-", tls=context))
        store(tmp_path, server.register("deploy").reveal())
        tables = local_tables(server, tmp_path).replace(
            "allow_insecure_loopback = true", f'ca_file = "{tmp_path}/ca.pem"'
        )
        daemon = stack.enter_context(Daemon(tmp_path, tables))
        record = daemon.wait_for(condition="unreachable", state="absent")
        assert "certificate" in record["reason"]
        assert 0 == server.ledger.count()
        authority.cert_pem.write_to_path(str(tmp_path / "new.pem"))
        (tmp_path / "new.pem").replace(tmp_path / "ca.pem")
        daemon.wait_for(state="fresh", condition="ok")
