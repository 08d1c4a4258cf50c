"""Rules within one authorization server's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.surroundings import FakeVocabulary, faults_of

AT = "authorization_servers.x"
WELL_KNOWN = "/.well-known/openid-configuration"
ODC = 'discovery_url = "https://acme.outsystems.dev/identity/.well-known/openid-configuration"\n'
ODC_ISSUER = 'issuer = "https://acme.outsystems.dev/auth/realms/19c31473-c41b-4694-b761-5a96a1e89341"\n'
INTERNAL = f"""
issuer = "http://keycloak.internal/r"
token_endpoint_hosts = ["127.0.0.1"]
discovery_url = "http://127.0.0.1:8080/r{WELL_KNOWN}"
allow_insecure_loopback = true
"""
ODC_HOSTS = 'token_endpoint_hosts = ["acme.outsystems.dev"]\n'


def server_faults(directory: Path, table: str) -> dict[str, str]:
    """The faults of a configuration with this one table."""
    return faults_of(directory, f"[{AT}]\n{table}")


@pytest.mark.parametrize(
    "table",
    [
        ODC + ODC_ISSUER + ODC_HOSTS,
        'issuer = "https://idp.example"',
        f'issuer = "https://idp.example/r"\ndiscovery_url = "https://idp.example/r{WELL_KNOWN}"',
        'issuer = "https://idp.example/r"\ndiscovery_url = "https://idp.example/.well-known/openid-configuration/r"',
        'token_endpoint = "https://idp.example/token"',
        'token_endpoint = "https://idp.example/token"\nissuer = "https://idp.example"',
        'token_endpoint = "https://idp.example/token"\ntoken_endpoint_hosts = ["IDP.example"]',
        'token_endpoint = "http://[::1]:8080/token"\nallow_insecure_loopback = true',
        'issuer = "http://127.0.0.1:8080/realms/x"\nallow_insecure_loopback = true',
        INTERNAL,
    ],
)
def test_there_is_one_way_to_the_token_endpoint(tmp_path: Path, table: str) -> None:
    """R-014, R-020: discovery with a pinned issuer, the customer's case included, or a fixed endpoint."""
    assert {} == server_faults(tmp_path, table)


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ("", "issuer", "required, alone or with discovery_url, unless there is a token_endpoint"),
        (ODC, "issuer", "metadata is believed only if it states exactly the issuer pinned here"),
        (ODC, "issuer", "and token_endpoint_hosts is required too"),
        (ODC + ODC_HOSTS, "issuer", "required with discovery_url"),
        (
            ODC + ODC_ISSUER,
            "token_endpoint_hosts",
            "the metadata alone must not decide where the client secret",
        ),
        (ODC + ODC_ISSUER + 'token_endpoint = "https://a.example/t"', "discovery_url", "remove one"),
        ('token_endpoint = "http://a.example/t"', "token_endpoint", "is not https; give an https URL"),
        ('token_endpoint = "https://u:p@a.example/t"', "token_endpoint", "user information"),
        ('token_endpoint = "https://a.example/t#f"', "token_endpoint", "fragment"),
        (
            'token_endpoint = "https://a.example/t"\ntoken_endpoint_hosts = ["b.example"]',
            "token_endpoint",
            "its host is not in token_endpoint_hosts",
        ),
        ('token_endpoint = "http://127.0.0.1/t"', "token_endpoint", "needs allow_insecure_loopback = true"),
        ('issuer = "http://127.0.0.1/t"', "issuer", "needs allow_insecure_loopback = true"),
        ('issuer = "https://a.example/?x=1"', "issuer", "no query and no fragment"),
        ('issuer = "idp"', "issuer", "must be an absolute URL"),
        ('issuer = ""', "issuer", "must be an absolute URL"),
    ],
)
def test_everything_else_says_why_not(tmp_path: Path, table: str, key: str, message: str) -> None:
    """R-006, R-014, R-015: the one line that an operator of the customer's product would meet first."""
    faults = server_faults(tmp_path, table)
    assert [f"{AT}.{key}"] == list(faults)
    assert message in faults[f"{AT}.{key}"]


@pytest.mark.parametrize(
    "key", ["discovery_url = 3", 'discovery_url = "ftp://x"', "issuer = 3", "token_endpoint = 3"]
)
def test_a_key_that_cannot_be_read_is_not_reported_as_missing_too(tmp_path: Path, key: str) -> None:
    """One mistake, one line."""
    assert [f"{AT}.{key.partition(' ')[0]}"] == list(server_faults(tmp_path, key))


@pytest.mark.parametrize(
    "host",
    [
        "https://a.example",
        "a.example:443",
        "a.example/",
        "*.example",
        "",
        "a..b",
        "-a",
        "[::1]",
        "fe80::1%eth0",
    ],
)
def test_an_allowed_host_is_a_name_alone(tmp_path: Path, host: str) -> None:
    """interface.md 7: host names without port."""
    table = f'issuer = "https://idp.example"\ntoken_endpoint_hosts = ["idp.example", "{host}"]'
    assert [f"{AT}.token_endpoint_hosts[1]"] == list(server_faults(tmp_path, table))


@pytest.mark.parametrize(
    "host", ["a", "A.example", "xn--bcher-kva.example", "127.0.0.1", "::1", "a_b.svc.local"]
)
def test_a_host_name_or_address_is_allowed(tmp_path: Path, host: str) -> None:
    """Whatever the host part of a URL may be."""
    table = f'issuer = "https://idp.example"\ntoken_endpoint_hosts = ["{host}"]'
    assert {} == server_faults(tmp_path, table)


def test_a_client_authentication_method_must_be_installed(tmp_path: Path) -> None:
    """The registered values are told."""
    faults = server_faults(
        tmp_path, 'issuer = "https://a.example"\ntoken_endpoint_auth_method = "client_secret_pots"'
    )
    assert {
        f"{AT}.token_endpoint_auth_method": 'no such method is installed; did you mean "client_secret_post"?'
    } == faults


class WithoutMethods(FakeVocabulary):
    """A vocabulary that knows no client authentication methods."""

    def client_auth_methods(self) -> tuple[str, ...]:
        return ()


def test_without_a_list_of_methods_none_is_refused(tmp_path: Path) -> None:
    """A schema check away from the installation still works."""
    table = 'issuer = "https://a.example"\ntoken_endpoint_auth_method = "private_key_jwt"'
    assert {} == faults_of(tmp_path, f"[{AT}]\n{table}", vocabulary=WithoutMethods())


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    """A profile is a closed set."""
    faults = server_faults(tmp_path, 'issuer = "https://a.example"\nprofile = "odc"')
    assert {f"{AT}.profile": 'must be one of "generic", "keycloak", "outsystems-odc"'} == faults
