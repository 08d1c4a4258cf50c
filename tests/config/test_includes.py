"""`include`: which files, in which order, and who may say what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.surroundings import MINIMAL, faults_of, load_text

TOKEN = """
[tokens.{name}]
authorization_server = "idp"
client_id = "{name}"
client_secret = {{ backend = "local", path = "{name}" }}
"""


def included(directory: Path, name: str, text: str) -> Path:
    """A file beside the main one."""
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_files_of_a_pattern_are_merged_table_by_table(tmp_path: Path) -> None:
    """Relative to the including file, in either spelling."""
    included(tmp_path, "conf.d/10-a.toml", TOKEN.format(name="a"))
    included(tmp_path, "conf.d/20-b.yaml", "log:\n  level: debug\n")
    config = load_text(tmp_path, 'include = ["conf.d/*.toml", "conf.d/*.yaml"]\n' + MINIMAL)
    assert ["deploy", "a"] == list(config.tokens)
    assert "debug" == config.log.level


def test_files_come_in_sorted_order(tmp_path: Path) -> None:
    """Whatever order the directory has."""
    for name in "cab":
        included(tmp_path, f"conf.d/{name}.toml", TOKEN.format(name=name))
    assert ["deploy", "a", "b", "c"] == list(load_text(tmp_path, 'include = ["conf.d/*"]\n' + MINIMAL).tokens)


def test_one_table_may_be_spread_over_files(tmp_path: Path) -> None:
    """Tables merge, keys do not."""
    included(tmp_path, "more.toml", "[tokens.deploy]\nrequired = false\n")
    assert not load_text(tmp_path, 'include = ["more.toml"]\n' + MINIMAL).tokens["deploy"].required


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[tokens.deploy]\nclient_id = 'S3CR3T-1'\n", "tokens.deploy.client_id"),
        ("[tokens]\ndeploy = 'S3CR3T-1'\n", "tokens.deploy"),
        ("[tokens.deploy.client_id]\nbackend = 'S3CR3T-1'\n", "tokens.deploy.client_id"),
    ],
)
def test_the_same_key_in_two_files_names_both(tmp_path: Path, text: str, path: str) -> None:
    """Nobody has to know which of two files wins, for neither does."""
    other = included(tmp_path, "more.toml", text)
    faults = faults_of(tmp_path, 'include = ["more.toml"]\n' + MINIMAL)
    assert {path: f"given in {tmp_path}/config.toml and in {other}; remove one"} == faults


def test_two_included_files_collide_as_well(tmp_path: Path) -> None:
    """The main file has no part in it."""
    first, second = (included(tmp_path, f"{name}.toml", TOKEN.format(name="x")) for name in "ab")
    faults = faults_of(tmp_path, 'include = ["?.toml"]\n' + MINIMAL)
    assert f"given in {first} and in {second}; remove one" == faults["tokens.x.client_id"]


def test_an_included_file_includes_no_others(tmp_path: Path) -> None:
    """One level is enough to see what belongs to a configuration."""
    other = included(tmp_path, "more.toml", 'include = ["x.toml"]\n')
    faults = faults_of(tmp_path, 'include = ["more.toml"]\n' + MINIMAL)
    assert {f"{other}: include": "an included file includes no others; name them in the main file"} == faults


def test_a_pattern_may_match_nothing_but_a_name_must_be_there(tmp_path: Path) -> None:
    """An empty conf.d is normal, a misspelt file is not."""
    assert {} == faults_of(tmp_path, 'include = ["conf.d/*.toml"]\n' + MINIMAL)
    faults = faults_of(tmp_path, 'include = ["more.toml", "less.toml"]\n' + MINIMAL)
    assert [f"{tmp_path}/more.toml", f"{tmp_path}/less.toml"] == list(faults)


def test_a_broken_included_file_is_all_that_is_told(tmp_path: Path) -> None:
    """What is missing because of it would be noise."""
    included(tmp_path, "servers.toml", "[authorization_servers.idp\n")
    text = MINIMAL.replace('[authorization_servers.idp]\nissuer = "https://idp.example"', "")
    faults = faults_of(tmp_path, f'include = ["servers.toml"]\n{text}')
    assert 1 == len(faults)
    assert next(iter(faults)).startswith(f"{tmp_path}/servers.toml:1")


def test_a_file_that_matches_twice_is_read_once(tmp_path: Path) -> None:
    """Patterns overlap; the main file may match its own."""
    included(tmp_path, "a.toml", TOKEN.format(name="a"))
    text = 'include = ["a.toml", "*.toml"]\n' + MINIMAL
    assert ["deploy", "a"] == list(load_text(tmp_path, text).tokens)


@pytest.mark.parametrize(
    ("value", "path"), [('"conf.d/*"', "include"), ("[3]", "include[0]"), ("{ a = 1 }", "include")]
)
def test_include_is_an_array_of_texts(tmp_path: Path, value: str, path: str) -> None:
    """As every list in the file is."""
    assert [path] == list(faults_of(tmp_path, f"include = {value}\n{MINIMAL}"))


def test_an_absolute_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    """Files elsewhere may be included too."""
    included(tmp_path, "elsewhere/a.toml", TOKEN.format(name="a"))
    text = f'include = ["{tmp_path}/elsewhere/*.toml"]\n{MINIMAL}'
    assert ["deploy", "a"] == list(load_text(tmp_path, text).tokens)
