"""Methods kubernetes and jwt on a real OpenBao: the file is read at each login, and what is no JWT is not sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.vault.login import RELOGIN_PAUSE_SECONDS
from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.jwts import Signer
from tests.backends_vault.readable import SECRET, readable
from tests.backends_vault.token_review import TokenReviewApi, running_token_review
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

AUDIENCE = "vault.example"
ACCOUNT = "system:serviceaccount:ci:token-broker"
SUBJECT = "repo:acme/deploy"
KUBERNETES_CLAIMS: dict[str, Any] = {
    "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "token-broker", "uid": f"uid-{ACCOUNT}"}}
}


@pytest.fixture(scope="module")
def cluster(openbao: OpenBao) -> Iterator[TokenReviewApi]:
    """OpenBao's kubernetes method asks this stub who a JWT belongs to."""
    openbao.request("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    with running_token_review() as api:
        reviewer = Signer("https://kubernetes.default.svc").sign(ACCOUNT, AUDIENCE)
        configuration = {
            "kubernetes_host": api.url,
            "kubernetes_ca_cert": api.ca_pem,
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": True,
        }
        openbao.request("POST", "auth/kubernetes/config", configuration)
        yield api
    openbao.request("DELETE", "sys/auth/kubernetes")


@pytest.fixture(scope="module")
def provider(openbao: OpenBao) -> Iterator[Signer]:
    """An identity provider whose public key OpenBao's jwt method has; its mount has a name of its own."""
    signer = Signer("https://ci.example")
    openbao.request("POST", "sys/auth/ci-jwt", {"type": "jwt"})
    keys = {"jwt_validation_pubkeys": [signer.public_key], "bound_issuer": signer.issuer}
    openbao.request("POST", "auth/ci-jwt/config", keys)
    yield signer
    openbao.request("DELETE", "sys/auth/ci-jwt")


class Pod:
    """A projected volume as the kubelet makes it: `..data` is a symlink that is swapped as a whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._revision = 0
        self.jwt_file = directory / "token"
        self.jwt_file.symlink_to(Path("..data", "token"))

    def project(self, jwt: str | None) -> None:
        """Swap to a new directory with this file in it, or with none."""
        self._revision += 1
        target = self._directory / f"..{self._revision}"
        target.mkdir()
        if jwt is not None:
            (target / "token").write_text(jwt)
        new = self._directory / "..data_tmp"
        new.symlink_to(target.name)
        new.replace(self._directory / "..data")


def kubernetes_role(openbao: OpenBao, request: pytest.FixtureRequest) -> str:
    """A role for the service account; answer the path of the secret that it may read."""
    found = readable(openbao, request)
    role = {
        "bound_service_account_names": ["token-broker"],
        "bound_service_account_namespaces": ["ci"],
        "audience": AUDIENCE,
        "token_policies": [found.policy],
        "token_ttl": "1h",
    }
    openbao.request("POST", "auth/kubernetes/role/deploy", role)
    return found.path


def jwt_role(openbao: OpenBao, request: pytest.FixtureRequest, *, life: str = "1h") -> str:
    """A role for the subject; answer the path of the secret that it may read."""
    found = readable(openbao, request)
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [AUDIENCE],
        "bound_subject": SUBJECT,
        "token_policies": [found.policy],
        "token_ttl": life,
        "token_max_ttl": life,
    }
    openbao.request("POST", "auth/ci-jwt/role/deploy", role)
    return found.path


def broker_of(openbao: OpenBao, **auth: str) -> BrokerSide:
    """Answer a backend that logs in like this."""
    return BrokerSide(
        {"url": openbao.url, "allow_insecure_loopback": True, "auth": {"role": "deploy", **auth}}
    )


def account_jwt(cluster: TokenReviewApi) -> str:
    """A new JWT of the service account, which the cluster knows."""
    jwt = Signer("https://kubernetes.default.svc").sign(ACCOUNT, AUDIENCE, **KUBERNETES_CLAIMS)
    cluster.accounts[jwt] = ACCOUNT
    return jwt


def test_pod_logs_in_with_its_service_account(
    openbao: OpenBao, cluster: TokenReviewApi, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """R-093: and with the JWT that the kubelet has put there since, at the next login (F-28)."""
    path = kubernetes_role(openbao, request)
    pod = Pod(tmp_path)
    first, second = account_jwt(cluster), account_jwt(cluster)
    pod.project(first)
    broker = broker_of(openbao, method="kubernetes", jwt_file=str(pod.jwt_file))
    assert SECRET == broker.read(path)
    pod.project(second)
    assert SECRET == broker.read(path)
    openbao.revoke_token(broker.token)
    assert SECRET == broker.read(path)
    assert ([first, second], ["success"] * 2) == (cluster.reviewed[-2:], broker.logins)
    assert [] == broker.warnings  # a pod's own token is 0644


def test_empty_or_missing_jwt_is_waited_for_and_not_sent(
    openbao: OpenBao, cluster: TokenReviewApi, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """F-28: while the volume is being swapped; the next login uses the new one, without a pause."""
    path = kubernetes_role(openbao, request)
    pod = Pod(tmp_path)
    broker = broker_of(openbao, method="kubernetes", jwt_file=str(pod.jwt_file))
    logins = len(openbao.requests("auth/kubernetes/login"))
    for content, finding in (
        (None, "No such file or directory"),
        ("", "does not hold a credential"),
        ("\n", "does"),
    ):
        pod.project(content)
        with pytest.raises(SecretBackendUnavailable, match=finding) as caught:
            broker.read(path)
        assert "login_file" == caught.value.code
    assert logins == len(openbao.requests("auth/kubernetes/login"))
    pod.project(account_jwt(cluster))
    assert SECRET == broker.read(path)


def test_jwt_that_the_cluster_does_not_know_is_refused_with_what_to_check(
    openbao: OpenBao, cluster: TokenReviewApi, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Role and file are named; the JWT is not shown."""
    path = kubernetes_role(openbao, request)
    stranger = Signer("https://kubernetes.default.svc").sign(ACCOUNT, AUDIENCE, **KUBERNETES_CLAIMS)
    jwt_file = put_file(tmp_path / "token", stranger)
    broker = broker_of(openbao, method="kubernetes", jwt_file=jwt_file)
    expected = rf"login refused at auth/kubernetes \(status 403\): does role deploy exist.*{jwt_file}"
    with pytest.raises(SecretBackendUnavailable, match=expected) as caught:
        broker.read(path)
    assert ("login_refused", False) == (caught.value.code, stranger[:20] in caught.value.message)


def test_jwt_of_an_identity_provider_logs_in(
    openbao: OpenBao, provider: Signer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """At a mount with another name; the file is read again at the next login (R-093)."""
    path = jwt_role(openbao, request)
    jwt_file = put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE) + "\n")
    broker = broker_of(openbao, method="jwt", mount="ci-jwt", jwt_file=jwt_file)
    assert SECRET == broker.read(path)
    put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
    openbao.revoke_token(broker.token)
    assert (SECRET, ["success"] * 2) == (broker.read(path), broker.logins)


def test_jwt_that_expired_or_is_for_others_is_refused_until_replaced(
    openbao: OpenBao, provider: Signer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The old Vault token goes on meanwhile, and the new JWT is used as soon as it is there."""
    path = jwt_role(openbao, request)
    jwt_file = put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE, life_seconds=-600))
    broker = broker_of(openbao, method="jwt", mount="ci-jwt", jwt_file=jwt_file)
    with pytest.raises(SecretBackendUnavailable, match=r"login refused at auth/ci-jwt \(status 400\)"):
        broker.read(path)
    put_file(tmp_path / "jwt", provider.sign(SUBJECT, "somebody-else.example"))
    with pytest.raises(SecretBackendUnavailable, match="issuer, audience, subject, expiry"):
        broker.read(path)
    put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
    assert SECRET == broker.read(path)


def test_replaced_jwt_alone_is_no_reason_to_log_in(
    openbao: OpenBao, provider: Signer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The kubelet replaces it every few minutes; the Vault token is renewed instead."""
    path = jwt_role(openbao, request)
    jwt_file = put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
    broker = broker_of(openbao, method="jwt", mount="ci-jwt", jwt_file=jwt_file)
    for _ in range(5):
        broker.read(path)
        put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
        broker.ahead_seconds += RELOGIN_PAUSE_SECONDS
    assert ["success"] == broker.logins


@pytest.mark.backends
def test_jwt_that_expires_between_logins_costs_no_read(
    openbao: OpenBao, provider: Signer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Vault tokens of twelve seconds at most, JWTs replaced as they are used: every read over two lives succeeds."""
    path = jwt_role(openbao, request, life="12s")
    jwt_file = put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
    broker = broker_of(openbao, method="jwt", mount="ci-jwt", jwt_file=jwt_file)

    def lives_on() -> bool:
        assert SECRET == broker.read(path)
        put_file(tmp_path / "jwt", provider.sign(SUBJECT, AUDIENCE))
        return len(broker.logins) >= 3

    eventually(lives_on, what="three logins")
    assert {"success"} == set(broker.logins)
