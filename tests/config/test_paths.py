"""Paths: what expands, where relative ones start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config.paths import PathFault, PathResolver
from tests.config.surroundings import MINIMAL, faults_of, load_text

ENVIRONMENT = {
    "CREDENTIALS_DIRECTORY": "/run/credentials/token-broker.service",
    "RUNTIME_DIRECTORY": "/run/first:/run/second",
    "STATE_DIRECTORY": "",
    "HOME": "/root",
}
RESOLVER = PathResolver(ENVIRONMENT, "/run/token-broker")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tokens/deploy", "/run/token-broker/tokens/deploy"),
        ("/etc/x", "/etc/x"),
        ("//etc//x/", "/etc/x"),
        ("./a/../b", "/run/token-broker/b"),
        ("../../../../etc/x", "/etc/x"),
        ("${CREDENTIALS_DIRECTORY}/secret-id", "/run/credentials/token-broker.service/secret-id"),
        ("${RUNTIME_DIRECTORY}/x", "/run/first/x"),
        ("$HOME/x", "/run/token-broker/$HOME/x"),
    ],
)
def test_a_path_is_made_absolute(text: str, path: str) -> None:
    """Three variables expand, `.` and `..` are folded, of several directories the first counts."""
    assert path == RESOLVER.resolve(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must not be empty"),
        (" ", "must not be empty"),
        ("~/x", "~ does not expand"),
        ("a\0b", "character"),
        ("a\nb", "character"),
        ("${HOME}/x", r"\$\{HOME\} does not expand in paths; only \$\{CREDENTIALS_DIRECTORY\}"),
        ("${STATE_DIRECTORY}/x", r"\$\{STATE_DIRECTORY\} is not set: a unit with StateDirectory= has it"),
        ("${S3CR3T-1}/x", "this variable does not expand"),
        ("${CREDENTIALS_DIRECTORY", "without its }"),
    ],
)
def test_what_is_no_path_is_refused_with_the_fix(text: str, message: str) -> None:
    """The variable is named, the rest is not repeated."""
    with pytest.raises(PathFault, match=message):
        RESOLVER.resolve(text)


@given(st.text(alphabet="./ab${}~", max_size=20))
def test_what_is_accepted_is_absolute_and_folded(text: str) -> None:
    """No `..` survives to compare wrongly or to climb."""
    try:
        path = RESOLVER.resolve(text)
    except PathFault:
        return
    assert path.startswith("/")
    assert not path.startswith("//")
    assert not {".", "..", ""} & set(path.split("/")[1:]) or path == "/"


def test_the_runtime_directory_is_the_base_of_all_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runtime_dir` and `state_dir` start at the current directory, everything else at `runtime_dir`."""
    monkeypatch.chdir(tmp_path)
    text = (
        f'[broker]\nruntime_dir = "run"\nstate_dir = "state"\n{MINIMAL}[[tokens.deploy.files]]\npath = "t"\n'
    )
    config = load_text(tmp_path, text)
    assert (f"{tmp_path}/run", f"{tmp_path}/state") == (config.broker.runtime_dir, config.broker.state_dir)
    assert f"{tmp_path}/run/token-broker.sock" == config.socket.path
    assert f"{tmp_path}/run/t" == config.tokens["deploy"].files[0].options.path


def test_only_paths_expand(tmp_path: Path) -> None:
    """Text is what it is."""
    text = MINIMAL.replace('client_id = "deploy"', 'client_id = "${RUNTIME_DIRECTORY}"')
    config = load_text(tmp_path, text, environment=ENVIRONMENT)
    assert "${RUNTIME_DIRECTORY}" == config.tokens["deploy"].client_id


def test_a_variable_that_is_not_set_is_a_fault_at_its_key(tmp_path: Path) -> None:
    """The message says which setting of a unit sets it."""
    text = MINIMAL.replace("/etc/token-broker/secrets", "${CREDENTIALS_DIRECTORY}")
    message = faults_of(tmp_path, text)["secret_backends.local.directory"]
    assert "LoadCredential=" in message
