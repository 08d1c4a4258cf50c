"""What is wrong with a table of type "vault" is said by its key, with the fix, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.plugins import Plugins
from tests.config.surroundings import MINIMAL, faults_of, load_text

INSTALLED = PluginVocabulary(Plugins())

APPROLE = 'method = "approle", role_id_file = "/r", secret_id_file = "/s"'
AWS = 'method = "aws", role = "deploy", region = "eu-west-1"'
CERT = 'method = "cert", certificate_file = "/c", private_key_file = "/k"'
PAIR = 'certificate_file = "/c"\nprivate_key_file = "/k"\n'
JWT = 'method = "jwt", role = "deploy", jwt_file = "/j"'


def table(auth: str, keys: str = "", url: str = "https://vault.example:8200") -> str:
    """A configuration with this table."""
    head = f'[secret_backends.corp]\ntype = "vault"\nurl = "{url}"\n'
    return f"{MINIMAL}{head}auth = {{ {auth} }}\n{keys}\n"


def faults(directory: Path, *parts: str) -> dict[str, str]:
    """What loading a file with such a table says, by the key below the table."""
    found = faults_of(directory, table(*parts), vocabulary=INSTALLED)
    return {key.removeprefix("secret_backends.corp."): message for key, message in found.items()}


@pytest.mark.parametrize(
    "auth",
    [
        APPROLE,
        APPROLE + ', secret_id_wrapped = true, creation_role = "deploy", mount = "ours"',
        'method = "approle", role_id = "r", secret_id_file = "/s"',
        'method = "token_file", path = "/t"',
        'method = "kubernetes", role = "deploy"',
        JWT + ', mount = "ci"',
        CERT + ', role = "deploy"',
        AWS + ', server_id_header = "vault.example"',
    ],
)
def test_each_method_has_a_table_without_faults(tmp_path: Path, auth: str) -> None:
    """As the public interface writes them."""
    assert "corp" in load_text(tmp_path, table(auth), vocabulary=INSTALLED).secret_backends


@pytest.mark.parametrize(
    ("auth", "key", "message"),
    [
        ('method = "approle", role_id_file = "/r"', "auth.secret_id_file", "required"),
        (
            'method = "approle", secret_id_file = "/s"',
            "auth.role_id_file",
            "required: method approle takes it or role_id",
        ),
        (APPROLE + ', role_id = "r"', "auth.role_id", "method approle takes one of role_id and role_id_file"),
        (
            APPROLE + ', creation_role = "d"',
            "auth.creation_role",
            "has no effect without secret_id_wrapped = true",
        ),
        (
            APPROLE + ', secret_id_wrapped = true, creation_role = "auth/approle/role/d"',
            "auth.creation_role",
            "must be the name of an AppRole, not a path",
        ),
        (APPROLE + ', mount = "/"', "auth.mount", "must not be empty"),
        ('method = "token_file"', "auth.path", "required"),
        ('method = "kubernetes"', "auth.role", "required"),
        (
            'method = "kubernetes", role = ""',
            "auth.role",
            "must not be empty: name a role of auth/kubernetes",
        ),
        ('method = "jwt", role = "deploy"', "auth.jwt_file", "required"),
        ('method = "jwt", jwt_file = "/j"', "auth.role", "required"),
        ('method = "cert", private_key_file = "/k"', "auth.certificate_file", "required"),
        ('method = "cert", certificate_file = "/c"', "auth.private_key_file", "required"),
        ('method = "aws", role = "deploy"', "auth.region", "required"),
        ('method = "aws", region = "eu-west-1"', "auth.role", "required"),
        (
            'method = "aws", role = "", region = "eu-west-1"',
            "auth.role",
            "must not be empty: name a role of auth/aws",
        ),
        (
            'method = "aws", role = "d", region = "Ireland"',
            "auth.region",
            'not the name of an AWS region, such as "eu-west-1"',
        ),
        (
            AWS + ', server_id_header = "two words"',
            "auth.server_id_header",
            "must be the text of iam_server_id_header_value, without spaces",
        ),
    ],
)
def test_fault_of_a_method_names_key_and_fix(tmp_path: Path, auth: str, key: str, message: str) -> None:
    """R-001: one fault, where it is."""
    assert {key: message} == faults(tmp_path, auth)


@pytest.mark.parametrize(
    ("parts", "key", "message"),
    [
        ((JWT, 'mount = "/"'), "mount", "must not be empty"),
        (
            (JWT, 'namespace = ""'),
            "namespace",
            'must be a path such as "team-a/ci"; leave it out for the root namespace',
        ),
        (
            (JWT, 'certificate_file = "/c"'),
            "private_key_file",
            "required with certificate_file",
        ),
        (
            (JWT, 'private_key_file = "/k"'),
            "certificate_file",
            "required with private_key_file",
        ),
        (
            (CERT, PAIR),
            "certificate_file",
            "method cert presents its own certificate: take this out",
        ),
        (
            (CERT, "allow_insecure_loopback = true", "http://127.0.0.1:8200"),
            "url",
            "must be https: a client certificate is shown in the TLS handshake only",
        ),
    ],
)
def test_fault_of_the_table_names_key_and_fix(
    tmp_path: Path, parts: tuple[str, ...], key: str, message: str
) -> None:
    """R-001: keys that need or exclude each other."""
    assert {key: message} == faults(tmp_path, *parts)


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ('method = "kubernets", role = "d"', 'unknown; did you mean "kubernetes"?'),
        ('role = "d"', "required; one of approle, aws, cert, jwt, kubernetes, token_file"),
    ],
)
def test_unknown_or_missing_method_says_which_there_are(tmp_path: Path, auth: str, message: str) -> None:
    """A mistyped one above all."""
    assert {"auth.method": message} == faults(tmp_path, auth)
