"""The broker's own Vault token on a real OpenBao: got once, renewed in time, replaced when it died."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from backends.vault.login import RELOGIN_PAUSE_SECONDS
from backends.vault.options import AppRole, TokenFile
from broker.api import SecretAccessDenied, SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

LOGIN = "auth/approle/login"
RENEWAL = "auth/token/renew-self"


def broker_side(openbao: OpenBao, auth: AppRole | TokenFile, *, revoke_on_exit: bool = False) -> BrokerSide:
    """A backend as the broker has it, whose clock the test moves; the server's own goes on as it does."""
    table = {
        "url": openbao.url,
        "allow_insecure_loopback": True,
        "auth": msgspec.to_builtins(auth),
        "revoke_on_exit": revoke_on_exit,
    }
    return BrokerSide(table, stands_still=True)


@dataclass
class Role:
    """An AppRole in files, and a secret that it may read."""

    name: str
    path: str
    auth: AppRole

    @property
    def secret_id_file(self) -> Path:
        """Answer where the broker finds the secret-id."""
        return Path(self.auth.secret_id_file)


NewRole = Callable[..., Role]


@pytest.fixture
def new_role(openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest) -> NewRole:
    """Create a role whose tokens live as long as the test says."""

    def new_role(*, token_ttl: str = "1h", token_max_ttl: str = "0") -> Role:
        path = f"login/{request.node.name}"
        openbao.put_secret(path, {"client_secret": "S3CR3T-login"})
        policy = openbao.allow_reading(request.node.name, f"secret/data/{path}", f"secret/metadata/{path}")
        role = openbao.approle([policy], token_ttl=token_ttl, token_max_ttl=token_max_ttl)
        auth = AppRole(role_id=role.role_id, secret_id_file=put_file(tmp_path / "secret-id", role.secret_id))
        return Role(role.name, path, auth)

    return new_role


def renewals(openbao: OpenBao) -> int:
    """Answer how many renewals the server has seen, by anybody."""
    return len(openbao.requests(RENEWAL))


def test_many_readers_share_one_login(openbao: OpenBao, new_role: NewRole) -> None:
    """Sixteen threads that all find no token log in once."""
    role = new_role()
    daemon = broker_side(openbao, role.auth)
    with ThreadPoolExecutor(16) as threads:
        assert {"S3CR3T-login"} == set(threads.map(daemon.read, [role.path] * 32))
    assert ["success"] == daemon.logins


def test_revoked_token_costs_one_login(openbao: OpenBao, new_role: NewRole) -> None:
    """403, the token is found dead, one login, one more read: nobody notices (R-089)."""
    role = new_role()
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    openbao.revoke_token(daemon.token)
    assert "S3CR3T-login" == daemon.read(role.path)
    assert ["success", "success"] == daemon.logins


def test_token_that_dies_again_waits_for_its_next_login(openbao: OpenBao, new_role: NewRole) -> None:
    """At most one login in 30 s for tokens that are revoked (R-089)."""
    role = new_role()
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    openbao.revoke_token(daemon.token)
    daemon.read(role.path)
    openbao.revoke_token(daemon.token)
    with pytest.raises(SecretBackendUnavailable, match="next login in 30 s") as caught:
        daemon.read(role.path)
    assert RELOGIN_PAUSE_SECONDS == caught.value.retry_after_seconds
    daemon.ahead_seconds += RELOGIN_PAUSE_SECONDS
    assert "S3CR3T-login" == daemon.read(role.path)


def test_denied_path_costs_no_login(openbao: OpenBao, new_role: NewRole) -> None:
    """The token lives, so it was the policy: no new login, and the path to allow is named (R-089)."""
    role = new_role()
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    for _ in range(3):
        with pytest.raises(SecretAccessDenied, match='add path "secret/data/forbidden"'):
            daemon.read("forbidden")
    assert ["success"] == daemon.logins


def test_token_is_renewed_at_two_thirds_of_its_life(openbao: OpenBao, new_role: NewRole) -> None:
    """Not before, then once, and the renewed life counts from there (R-090)."""
    role = new_role(token_ttl="1h")
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    before = renewals(openbao)
    counted = []
    for seconds in (2399, 2, 1000, 1398, 2):
        daemon.ahead_seconds += seconds
        daemon.read(role.path)
        counted.append(renewals(openbao) - before)
    assert ([0, 1, 1, 1, 2], ["success"]) == (counted, daemon.logins)


def test_expired_token_is_replaced(openbao: OpenBao, new_role: NewRole) -> None:
    """After a long sleep of the machine."""
    role = new_role(token_ttl="1h")
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    daemon.ahead_seconds = 100_000
    assert "S3CR3T-login" == daemon.read(role.path)
    assert ["success", "success"] == daemon.logins


def test_refused_login_names_the_files(openbao: OpenBao, new_role: NewRole) -> None:
    """And is told as what it is, without the secret-id; the file is read again at the next try."""
    role = new_role()
    role.secret_id_file.write_text("S3CR3T-wrong")
    daemon = broker_side(openbao, role.auth)
    with pytest.raises(SecretBackendUnavailable, match=str(role.secret_id_file)) as caught:
        daemon.read(role.path)
    assert ("login_refused", False) == (caught.value.code, "S3CR3T" in caught.value.message)
    role.secret_id_file.write_text(openbao.new_secret_id(role.name))
    daemon.ahead_seconds += 1
    assert "S3CR3T-login" == daemon.read(role.path)


def test_failed_login_is_not_repeated_by_everybody(openbao: OpenBao, new_role: NewRole) -> None:
    """Fifty readers within a second after a refused login get its answer without another one."""
    role = new_role()
    role.secret_id_file.write_text("S3CR3T-wrong")
    daemon = broker_side(openbao, role.auth)
    before = len(openbao.requests(LOGIN))
    for _ in range(50):
        with pytest.raises(SecretBackendUnavailable, match="login refused"):
            daemon.read(role.path)
    assert 1 == len(openbao.requests(LOGIN)) - before


@pytest.mark.parametrize("content", ["", "two words", "S3CR3T-ümlaut", "line\nbreak", "x" * 100_000 + "\0"])
def test_file_without_a_credential_is_said_to_be_one(openbao: OpenBao, tmp_path: Path, content: str) -> None:
    """Nothing of it is sent or shown: requests would quote it in its own error (pitfall 22)."""
    daemon = broker_side(openbao, TokenFile(path=put_file(tmp_path / "token", content)))
    with pytest.raises(SecretBackendUnavailable, match=r"token: does not hold a credential$"):
        daemon.read("any")


def test_missing_credential_file_is_named(openbao: OpenBao, tmp_path: Path) -> None:
    """A condition at run time, not a crash."""
    daemon = broker_side(openbao, TokenFile(path=str(tmp_path / "not-there")))
    with pytest.raises(SecretBackendUnavailable, match="not-there: No such file or directory"):
        daemon.read("any")


def test_replaced_token_file_is_taken_up(openbao: OpenBao, new_role: NewRole, tmp_path: Path) -> None:
    """An agent writes a new token: used from the next read on; an unusable one leaves the old one in use."""
    role = new_role()
    file = tmp_path / "token"
    policy = next(
        iter(openbao.request("GET", f"auth/approle/role/{role.name}").json["data"]["token_policies"])
    )
    first, second = (openbao.create_token([policy, "default"]) for _ in range(2))
    daemon = broker_side(openbao, TokenFile(path=put_file(file, first)))
    daemon.read(role.path)
    file.write_text("S3CR3T-useless")
    assert ("S3CR3T-login", first) == (daemon.read(role.path), daemon.token)
    daemon.ahead_seconds += 1
    file.write_text(second + "\n")
    assert ("S3CR3T-login", second) == (daemon.read(role.path), daemon.token)


def test_root_token_never_ends(openbao: OpenBao, tmp_path: Path) -> None:
    """It has no life to renew; developers use one."""
    openbao.put_secret("login/root", {"client_secret": "S3CR3T-root-read"})
    daemon = broker_side(openbao, TokenFile(path=put_file(tmp_path / "token", openbao.root_token)))
    daemon.read("login/root")
    daemon.ahead_seconds += 10_000_000
    assert ("S3CR3T-root-read", ["success"]) == (daemon.read("login/root"), daemon.logins)


def test_credential_file_open_to_everybody_is_reported_once(openbao: OpenBao, new_role: NewRole) -> None:
    """A warning, never a refusal: mounted Kubernetes Secrets are 0644."""
    role = new_role()
    role.secret_id_file.chmod(0o644)
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    daemon.ahead_seconds = 100_000
    daemon.read(role.path)
    assert [
        f"{role.secret_id_file} can be read by everybody (mode 0644): chmod o= {role.secret_id_file}"
    ] == daemon.warnings


def test_sealed_server_is_unavailable_and_comes_back(openbao: OpenBao, new_role: NewRole) -> None:
    """Told as sealed; the login survives."""
    role = new_role()
    daemon = broker_side(openbao, role.auth)
    daemon.read(role.path)
    with openbao.sealed(), pytest.raises(SecretBackendUnavailable, match="sealed or in maintenance"):
        daemon.read(role.path)
    assert eventually(lambda: daemon.read(role.path), what="unsealed", retry_on=(SecretBackendUnavailable,))
    assert ["success"] == daemon.logins


def test_token_is_revoked_on_exit_if_so_configured(openbao: OpenBao, new_role: NewRole) -> None:
    """Only then, and only what a login of ours gave."""
    role = new_role()
    kept, revoked = broker_side(openbao, role.auth), broker_side(openbao, role.auth, revoke_on_exit=True)
    for daemon in (kept, revoked):
        daemon.read(role.path)
        daemon.backend.close()
    lookups = [openbao.request("POST", "auth/token/lookup", {"token": kept.token}).status]
    with pytest.raises(Exception, match="403"):
        openbao.request("POST", "auth/token/lookup", {"token": revoked.token})
    assert [200] == lookups
