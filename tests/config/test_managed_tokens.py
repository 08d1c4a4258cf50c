"""Rules within one token's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.managed_tokens import RESERVED_PARAMETERS
from broker.oauth import token_endpoint
from tests.config.surroundings import MINIMAL, faults_of, load_text

AT = "tokens.deploy"


def faults_with(directory: Path, addition: str) -> dict[str, str]:
    """The faults of the minimal configuration with more lines in its token's table."""
    return faults_of(directory, MINIMAL + addition)


@pytest.mark.parametrize(
    "addition",
    [
        'scope = ["api", "https://graph.example/.default", "a:b!c"]',
        'resource = ["https://api.example", "urn:example:api", "api://11111111"]',
        'parameters = { organization = "org 1", requested_token_use = "" }',
        'client_secret_expires = "2030-01-02"',
        "client_secret_expires = 2030-01-02",
        "client_secret_expires = 2030-01-02T03:04:05+02:00",
        'client_secret_expires = { backend = "local", path = "x", field = "expires" }',
        'default_lifetime = "300s"\nmin_lifetime = 0\npoll_secret_version = 1',
        'allow = { users = ["jenkins"], groups = ["ci"] }',
        'allow = { units = ["a.service", "b@.service", "b@x.service"] }',
        'allow = { units = ["dev-disk\\\\x2dby.service"] }',
    ],
)
def test_a_good_setting_is_no_fault(tmp_path: Path, addition: str) -> None:
    """What RFC 6749, RFC 8707 and systemd allow."""
    assert {} == faults_with(tmp_path, addition)


@pytest.mark.parametrize(
    ("addition", "path", "message"),
    [
        ('scope = ["a b"]', "scope[0]", 'write several as ["a", "b"]'),
        ('scope = ["a", ""]', "scope[1]", "must be one scope"),
        ('scope = ["a\\"b"]', "scope[0]", "must be one scope"),
        ('resource = ["api.example"]', "resource[0]", "absolute URI"),
        ('resource = ["https://api.example#x"]', "resource[0]", "without fragment"),
        ('resource = ["https://a b"]', "resource[0]", "absolute URI"),
        ('resource = ["http://[x"]', "resource[0]", "absolute URI"),
        ('audience = ""', "audience", "leave it out"),
        ('parameters = { "" = "x" }', 'parameters.""', "needs a name"),
        ('client_secret_expires = "tomorrow"', "client_secret_expires", "must be a date (YYYY-MM-DD)"),
        ('client_secret_expires = "2030-02-30"', "client_secret_expires", "must be a date (YYYY-MM-DD)"),
        ("default_lifetime = 0", "default_lifetime", "must be longer than 0"),
        ('poll_secret_version = "10ms"', "poll_secret_version", "must be at least 1s"),
        ('allow = { users = ["nobody-has-it"] }', "allow.users[0]", "no user of this system"),
        ('allow = { groups = ["ci", "nobody-has-it"] }', "allow.groups[1]", "no group of this system"),
        ('allow = { units = ["deployer"] }', "allow.units[0]", '"NAME.service"'),
        ('allow = { units = ["a.socket"] }', "allow.units[0]", '"NAME.service"'),
        ('allow = { units = [".service"] }', "allow.units[0]", '"NAME.service"'),
        ('allow = { units = ["a/b.service"] }', "allow.units[0]", '"NAME.service"'),
        ('allow = { units = ["a@b@c.service"] }', "allow.units[0]", '"NAME.service"'),
        ('allow = { units = ["*.service"] }', "allow.units[0]", '"NAME.service"'),
    ],
)
def test_a_bad_setting_says_what_is_allowed(tmp_path: Path, addition: str, path: str, message: str) -> None:
    """Each at its own path."""
    faults = faults_with(tmp_path, addition)
    assert [f"{AT}.{path}"] == list(faults)
    assert message in faults[f"{AT}.{path}"]


@pytest.mark.parametrize("name", RESERVED_PARAMETERS)
def test_parameters_cannot_override_what_the_broker_sends(tmp_path: Path, name: str) -> None:
    """R-027: neither the grant nor the client, and nothing twice."""
    faults = faults_with(tmp_path, f'parameters = {{ {name} = "S3CR3T-1" }}')
    assert {f"{AT}.parameters.{name}": f"not allowed here; {RESERVED_PARAMETERS[name]}"} == faults


def test_the_names_that_are_refused_are_those_that_the_request_refuses() -> None:
    """What the configuration lets through never fails at the token endpoint."""
    assert token_endpoint.RESERVED_PARAMETERS == RESERVED_PARAMETERS.keys()


@pytest.mark.parametrize("value", ['""', '"a\\nb"', '"ünï"', '"a\\u007f"'])
def test_a_client_id_is_printable_ascii(tmp_path: Path, value: str) -> None:
    """RFC 6749 A.1."""
    text = MINIMAL.replace('client_id = "deploy"', f"client_id = {value}")
    assert [f"{AT}.client_id"] == list(faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        (
            'server = "idp"',
            'server = "ipd"',
            "authorization_server",
            'no authorization server of that name is configured; did you mean "idp"?',
        ),
        (
            'backend = "local"',
            'backend = "locale"',
            "client_secret.backend",
            'no secret backend of that name is configured; did you mean "local"?',
        ),
        ('path = "deploy"', 'path = ""', "client_secret.path", "must not be empty"),
        (
            'path = "deploy"',
            'path = "d", field = ""',
            "client_secret.field",
            "must not be empty; leave it out to take the whole value",
        ),
    ],
)
def test_a_reference_leads_somewhere(tmp_path: Path, old: str, new: str, path: str, message: str) -> None:
    """Names of configured things may be shown, since they are what was meant."""
    assert {f"{AT}.{path}": message} == faults_of(tmp_path, MINIMAL.replace(old, new))


def test_a_reference_to_a_table_that_is_not_there_says_which_to_add(tmp_path: Path) -> None:
    """Where nothing is configured there is nothing to suggest."""
    faults = faults_of(tmp_path, MINIMAL[MINIMAL.index("[tokens") :])
    assert "no [authorization_servers.NAME] table is there; add one" in faults[f"{AT}.authorization_server"]
    assert "no [secret_backends.NAME] table is there; add one" in faults[f"{AT}.client_secret.backend"]


def test_a_reference_to_a_table_with_a_fault_is_no_fault(tmp_path: Path) -> None:
    """The server is configured, if not well."""
    text = MINIMAL.replace('issuer = "https://idp.example"', "issuer = 3")
    assert ["authorization_servers.idp.issuer"] == list(faults_of(tmp_path, text))


REFERENCE = 'client_secret = { backend = "local", path = "deploy" }'


def test_several_client_secrets_keep_their_order(tmp_path: Path) -> None:
    """An array of references is tried in its order."""
    several = 'client_secret = [{ backend = "local", path = "new" }, { backend = "local", path = "old" }]'
    config = load_text(tmp_path, MINIMAL.replace(REFERENCE, several))
    assert ["new", "old"] == [reference.path for reference in config.tokens["deploy"].client_secrets]
    assert ["deploy"] == [each.path for each in load_text(tmp_path, MINIMAL).tokens["deploy"].client_secrets]


@pytest.mark.parametrize(
    ("several", "path"),
    [
        ("client_secret = []", "client_secret"),
        (
            'client_secret = [{ backend = "local", path = "a" }, { backend = "locale", path = "b" }]',
            "client_secret[1].backend",
        ),
        (
            'client_secret = [{ backend = "local", path = "a" }, { backend = "local" }]',
            "client_secret[1].path",
        ),
        ('client_secret = ["S3CR3T-1"]', "client_secret[0]"),
    ],
)
def test_each_of_several_client_secrets_is_checked(tmp_path: Path, several: str, path: str) -> None:
    """A fault names the item, and never what stands there."""
    faults = faults_of(tmp_path, MINIMAL.replace(REFERENCE, several))
    assert [f"{AT}.{path}"] == list(faults)
    assert "S3CR3T" not in str(faults)
