"""The walk from tables to structs."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.options import SecretRef
from tests.config.surroundings import MINIMAL, AppRole, TokenFile, faults_of, load_text

VAULT = """
[secret_backends.corp]
type = "vault"
url = "https://vault.example"
"""

TEN_MISTAKES = """
[broker]
startup_deadline = "soon"
state_dirr = "/var/lib/token-broker"

[socket]
mode = 640
group = "nobody-has-it"

[secret_backends.local]
type = "fil"

[authorization_servers.idp]
issuer = "http://idp.example"
max_concurrent_mints = 0

[tokens.deploy]
authorization_server = "idpp"
client_id = "deploy"
client_secret = { backend = "local" }
scope = "read write"
"""


def test_a_minimal_configuration_has_the_documented_defaults(tmp_path: Path) -> None:
    """What is not written is what interface.md says it is."""
    config = load_text(tmp_path, MINIMAL)
    token = config.tokens["deploy"]
    assert "/run/token-broker" == config.broker.runtime_dir
    assert "/run/token-broker/token-broker.sock" == config.socket.path
    assert 0o660 == config.socket.mode
    assert 4 == config.authorization_servers["idp"].max_concurrent_mints
    assert (True, 0.5, 60.0, 60.0) == (
        token.required,
        token.renew_at,
        token.poll_secret_version,
        token.min_lifetime,
    )


def test_an_empty_file_is_a_configuration_without_tokens(tmp_path: Path) -> None:
    """A package may ship a file in which everything is a comment."""
    assert {} == load_text(tmp_path, "# nothing yet\n").tokens


def test_ten_mistakes_give_ten_lines(tmp_path: Path) -> None:
    """Nobody mends a file one fault at a time: types and rules are told in one run."""
    assert {
        "broker.startup_deadline",
        "broker.state_dirr",
        "socket.mode",
        "socket.group",
        "secret_backends.local.type",
        "authorization_servers.idp.issuer",
        "authorization_servers.idp.max_concurrent_mints",
        "tokens.deploy.authorization_server",
        "tokens.deploy.client_secret.path",
        "tokens.deploy.scope",
    } == set(faults_of(tmp_path, TEN_MISTAKES))


@pytest.mark.parametrize(
    ("addition", "path", "message"),
    [
        ("[brokr]", "brokr", 'unknown key; did you mean "broker"?'),
        ("[log]\nlevell = 1", "log.levell", 'unknown key; did you mean "level"?'),
        ("[log]\nzzz = 1", "log.zzz", "unknown key; one of format, level"),
        ("[log]\nlevel = 3", "log.level", 'must be one of "debug", "error", "info", "warning"'),
        ("[log]\nlevel = 'loud'", "log.level", 'must be one of "debug", "error", "info", "warning"'),
        ("log = 3", "log", "must be a table"),
        (
            "[tokens.deploy.allow]\nusers = 'x'",
            "tokens.deploy.allow.users",
            "must be an array, each item text",
        ),
        (
            "[tokens.deploy.allow]\nusers = [1]",
            "tokens.deploy.allow.users[0]",
            "must be text; put it in quotes",
        ),
        (
            "[tokens.deploy.parameters]\na = true",
            "tokens.deploy.parameters.a",
            "must be text; put it in quotes",
        ),
        ("[tokens.'a b']", 'tokens."a b".client_id', "required"),
        ("[tokens]\nx = 3", "tokens.x", "must be a table"),
        ("[[tokens.deploy.files]]", "tokens.deploy.files[0].path", "required"),
        ("[[tokens.deploy.files]]\npath='a'\ntype='file'", "tokens.deploy.files[0].type", "unknown key"),
        ("[[tokens.deploy.sinks]]", "tokens.deploy.sinks[0].type", "required; one of file"),
        (
            "[[tokens.deploy.sinks]]\ntype=3",
            "tokens.deploy.sinks[0].type",
            "no plug-in of that name is installed",
        ),
        ("[secret_backends]\nx = 'y'", "secret_backends.x", "must be a table"),
        ("[secret_backends.x]\ntype='vualt'", "secret_backends.x.type", 'did you mean "vault"?'),
        ("[secret_backends.x]\ntype='damaged'", "secret_backends.x.type", "the plug-in cannot be imported"),
        ("[secret_backends.x]\ntype='vault'", "secret_backends.x.auth", "required"),
    ],
)
def test_a_fault_has_its_key_path_and_what_is_allowed(
    tmp_path: Path, addition: str, path: str, message: str
) -> None:
    """R-001: unknown keys and wrong types, each at its place."""
    first, table, rest = addition.partition("[")
    text = f"{first}\n{MINIMAL}\n{table}{rest}" if first else f"{MINIMAL}\n{addition}"
    assert message in faults_of(tmp_path, text)[path]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("renew_at", "0.95", "must be a number from 0.1 to 0.9"),
        ("renew_at", "nan", "must be a finite number"),
        ("renew_at", "'half'", "must be a number from 0.1 to 0.9"),
        ("required", "1", "must be true or false"),
        ("client_secret_expires", "3", "must be text or a table; put it in quotes"),
    ],
)
def test_a_value_out_of_bounds_names_the_bounds(tmp_path: Path, key: str, value: str, message: str) -> None:
    """R-001: out-of-range numbers."""
    assert {f"tokens.deploy.{key}": message} == faults_of(tmp_path, f"{MINIMAL}{key} = {value}\n")


def test_a_secret_in_the_file_is_refused_with_what_to_write_instead(tmp_path: Path) -> None:
    """A secret value is never accepted, and not repeated either."""
    text = MINIMAL.replace('{ backend = "local", path = "deploy" }', '"S3CR3T-1"')
    faults = faults_of(tmp_path, text)
    assert ["tokens.deploy.client_secret"] == list(faults)
    assert '{ backend = "NAME", path = "...", field = "..." }' in faults["tokens.deploy.client_secret"]
    assert "S3CR3T" not in str(faults)


def test_a_missing_key_of_a_reference_is_named(tmp_path: Path) -> None:
    """The example of interface.md 2."""
    text = MINIMAL.replace(', path = "deploy"', "")
    assert {"tokens.deploy.client_secret.path": "required"} == faults_of(tmp_path, text)


def test_a_reference_or_text_is_read_as_what_it_is(tmp_path: Path) -> None:
    """`client_id` may be either."""
    text = MINIMAL.replace(
        'client_id = "deploy"', 'client_id = { backend = "local", path = "id", field = "f" }'
    )
    assert (
        SecretRef(backend="local", path="id", field="f")
        == load_text(tmp_path, text).tokens["deploy"].client_id
    )


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ('{ method = "token_file", path = "t" }', TokenFile(path="/run/token-broker/t")),
        (
            '{ method = "approle", role_id_file = "/r", secret_id_file = "/s" }',
            AppRole(role_id_file="/r", secret_id_file="/s"),
        ),
    ],
)
def test_the_tag_of_a_table_chooses_its_keys(tmp_path: Path, auth: str, expected: object) -> None:
    """The login methods of a secret backend are one struct each."""
    config = load_text(tmp_path, f"{MINIMAL}{VAULT}auth = {auth}\n")
    assert expected == config.secret_backends["corp"].options.auth


@pytest.mark.parametrize(
    ("auth", "path", "message"),
    [
        ("{}", "auth.method", "required; one of approle, token_file"),
        ('{ method = "aproll" }', "auth.method", 'unknown; did you mean "approle"?'),
        ("{ method = 3 }", "auth.method", "unknown; one of approle, token_file"),
        ('"approle"', "auth", "must be a table"),
        ('{ method = "token_file" }', "auth.path", "required"),
        (
            '{ method = "token_file", path = "/t", role = "x" }',
            "auth.role",
            "unknown key; one of method, path",
        ),
    ],
)
def test_a_wrong_tag_names_the_right_ones(tmp_path: Path, auth: str, path: str, message: str) -> None:
    """Only the tag is told: without it no other key can be judged."""
    faults = faults_of(tmp_path, f"{MINIMAL}{VAULT}auth = {auth}\n")
    assert {f"secret_backends.corp.{path}": message} == faults


def test_a_fault_in_one_item_leaves_the_others_at_their_index(tmp_path: Path) -> None:
    """The second file's rule is reported at the second file."""
    files = "[[tokens.deploy.files]]\npath = 3\n[[tokens.deploy.files]]\npath = 'token-broker.sock'\n"
    assert ["tokens.deploy.files[0].path", "tokens.deploy.files[1].path"] == list(
        faults_of(tmp_path, MINIMAL + files)
    )


def test_what_a_plug_in_says_is_told_at_its_table(tmp_path: Path) -> None:
    """Plug-ins report paths relative to their table."""
    text = f'{MINIMAL}{VAULT}mount = ""\nauth = {{ method = "token_file", path = "/t" }}\n'
    assert {"secret_backends.corp.mount": "must not be empty"} == faults_of(tmp_path, text)


def test_a_plug_in_that_fails_to_check_is_a_fault_without_its_words(tmp_path: Path) -> None:
    """R-001: what somebody else's exception says may be a value."""
    text = f'{MINIMAL}[secret_backends.x]\ntype = "failing"\nvalue = "S3CR3T-1"\n'
    faults = faults_of(tmp_path, text)
    assert ["secret_backends.x"] == list(faults)
    assert "RuntimeError" in faults["secret_backends.x"]
    assert "S3CR3T" not in str(faults)
