"""What may come in answer to a login, or to the look at a wrapping, from Vault or from what stands in its place."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.contract.fault_server import Asked, FaultServer, Reply, running_fault_server

CREDENTIAL = "S3CR3T-credential"
LOGINS = {
    "approle": "/v1/auth/approle/login",
    "wrapped": "/v1/sys/wrapping/lookup",
    "jwt": "/v1/auth/jwt/login",
    "kubernetes": "/v1/auth/kubernetes/login",
}
SEAL_STATUS = "/v1/sys/seal-status"


def broker_of(server: FaultServer, method: str, directory: Path) -> BrokerSide:
    """Answer a backend that logs in like this."""
    file = put_file(directory / "credential", CREDENTIAL)
    approle = {"method": "approle", "role_id": "r", "secret_id_file": file}
    auths: dict[str, dict[str, Any]] = {
        "approle": approle,
        "wrapped": {**approle, "secret_id_wrapped": True},
        "jwt": {"method": "jwt", "role": "r", "jwt_file": file},
        "kubernetes": {"method": "kubernetes", "role": "r", "jwt_file": file},
    }
    return BrokerSide({"url": server.url, "allow_insecure_loopback": True, "auth": auths[method]})


def failure(broker: BrokerSide) -> SecretBackendUnavailable:
    """Read in vain; nothing of what was sent or received is in the traceback."""
    with pytest.raises(SecretBackendUnavailable) as caught:
        broker.read("odc")
    assert "S3CR3T-" not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", LOGINS)
def test_redirected_login_takes_no_credential_elsewhere(tmp_path: Path, method: str, status: int) -> None:
    """R-085: 307 and 308 would carry the body along, and with it the secret-id or the JWT."""
    with running_fault_server(lambda _: Reply()) as elsewhere:
        moved = Reply(status, b"", {"Location": elsewhere.url + LOGINS[method]})
        with running_fault_server(lambda _: moved) as server:
            error = failure(broker_of(server, method, tmp_path))
            assert [LOGINS[method]] == [asked.path for asked in server.ledger]
        assert [] == elsewhere.ledger
    assert "redirects, which would take our token to another host" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"<html>S3CR3T-page</html>",
        b'["S3CR3T-list"]',
        b'{"auth": null}',
        b'{"auth": {"client_token": "S3CR3T\\nInjected: yes", "lease_duration": 60}}',
        b'{"auth": {"client_token": "S3CR3T-t", "lease_duration": "soon"}}',
        b'{"auth": {"client_token": "S3CR3T-t", "lease_duration": -1}}',
        b'{"auth": {"client_token": "S3CR3T-t", "lease_duration": 1e400}}',
        b'{"data": {"creation_path": "auth/approle/role/r/secret-id"}}',
        b'{"data": {"creation_path": "auth/approle/role/r/secret-id", "creation_ttl": "S3CR3T-soon"}}',
    ],
)
@pytest.mark.parametrize("method", ["approle", "wrapped"])
def test_answer_of_another_shape_is_no_login(tmp_path: Path, method: str, body: bytes) -> None:
    """R-086, R-087: with status 200; the wrapping is not opened, and nothing of the body is shown."""
    with running_fault_server(lambda _: Reply(200, body)) as server:
        error = failure(broker_of(server, method, tmp_path))
        assert [LOGINS[method]] == [asked.path for asked in server.ledger]
    assert "answered something else than Vault does" in error.message


@pytest.mark.parametrize("status", [400, 403, 404, 405, 412, 429, 472, 473, 500, 501, 503])
@pytest.mark.parametrize("method", LOGINS)
def test_errors_of_a_login_show_nothing_of_the_body(tmp_path: Path, method: str, status: int) -> None:
    """R-087, R-088: refused, or away for now, by the status alone."""
    with running_fault_server(lambda _: Reply(status, {"errors": ["S3CR3T-in-errors"]})) as server:
        error = failure(broker_of(server, method, tmp_path))
    refused = {"wrapped": "wrapping_refused"}.get(method, "login_refused")
    expected = refused if status in (400, 403, 404) else "throttled" if status == 429 else "unavailable"
    assert expected == error.code


def test_pause_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    """Neither a login nor a look at the server before it is over."""
    granted = {"auth": {"client_token": "S3CR3T-t", "lease_duration": 60, "renewable": True}}
    secret = {"data": {"data": {"client_secret": "S3CR3T-after"}, "metadata": {"version": 1}}}
    throttled = True

    def script(asked: Asked) -> Reply:
        if throttled:
            return Reply(429, {"errors": []}, {"Retry-After": "120"})
        return Reply(body=granted if asked.path == LOGINS["approle"] else secret)

    with running_fault_server(script) as server:
        broker = broker_of(server, "approle", tmp_path)
        for _ in range(11):
            failure(broker)
            broker.ahead_seconds += 10
        assert [LOGINS["approle"]] == [asked.path for asked in server.ledger]
        throttled = False
        broker.ahead_seconds += 20
        assert "S3CR3T-after" == broker.read("odc")


def test_failures_of_weeks_are_counted_without_an_end(tmp_path: Path) -> None:
    """A pause that doubles each time would leave the range of a float after a thousand of them."""
    with running_fault_server(lambda _: Reply(500)) as server:
        broker = broker_of(server, "jwt", tmp_path)
        (tmp_path / "credential").unlink()
        for _ in range(1100):
            failure(broker)
            broker.ahead_seconds += 10
        put_file(tmp_path / "credential", CREDENTIAL)
        for _ in range(1100):
            failure(broker)
            broker.ahead_seconds += 10


def test_server_that_only_looks_well_is_not_asked_more_often(tmp_path: Path) -> None:
    """A proxy that answers for a server behind it which is gone: at most twenty logins an hour all the same."""

    def script(asked: Asked) -> Reply:
        return Reply(body={"sealed": False}) if asked.path == SEAL_STATUS else Reply(502)

    with running_fault_server(script) as server:
        broker = broker_of(server, "jwt", tmp_path)
        for _ in range(360):
            failure(broker)
            broker.ahead_seconds += 10
        assert 20 >= len(server.asked(LOGINS["jwt"])) > 10
