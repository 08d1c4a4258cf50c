"""What two tables may not share (R-007)."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.config.overlaps import MINTING_SETTINGS
from broker.config.paths import PathResolver
from broker.config.places import directory_entry
from tests.config.surroundings import MINIMAL, faults_of

SECOND = MINIMAL[MINIMAL.index("[tokens") :].replace("tokens.deploy", "tokens.second")
APART = SECOND.replace('"deploy"', '"second"')


def with_files(first: str, second: str) -> str:
    """Two tokens with a file each."""
    files = "[[tokens.{}.files]]\npath = '{}'\n"
    return MINIMAL + files.format("deploy", first) + APART + files.format("second", second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tokens/x", "tokens/x"),
        ("tokens/x", "/run/token-broker/tokens/x"),
        ("tokens/x", "tokens/y/../x"),
        ("tokens/x", "./tokens//x/"),
        ("tokens/x", "../token-broker/tokens/x"),
    ],
)
def test_two_tokens_do_not_share_a_file(tmp_path: Path, first: str, second: str) -> None:
    """R-007: however its path is spelt."""
    assert {
        "tokens.second.files[0].path": "is the same file as tokens.deploy.files[0].path; give each its own"
    } == (faults_of(tmp_path, with_files(first, second)))


def test_two_names_of_one_directory_are_one(tmp_path: Path) -> None:
    """R-007: through symbolic links, too."""
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    faults = faults_of(tmp_path, with_files(f"{tmp_path}/real/x", f"{tmp_path}/alias/x"))
    assert ["tokens.second.files[0].path"] == list(faults)


def test_a_link_in_place_of_the_file_is_its_own_entry(tmp_path: Path) -> None:
    """A publication replaces the link and leaves its target alone."""
    (tmp_path / "x").touch()
    (tmp_path / "y").symlink_to("x")
    assert {} == faults_of(tmp_path, with_files(f"{tmp_path}/x", f"{tmp_path}/y"))


@pytest.mark.parametrize(
    ("second", "shared"), [("tokens/x", False), ("Tokens/X", False), ("tokens/x.new", False)]
)
def test_files_that_differ_are_no_fault(tmp_path: Path, second: str, shared: bool) -> None:  # noqa: FBT001 - a column
    """Case counts where the file system says so."""
    assert shared == bool(faults_of(tmp_path, with_files("tokens/z", second)))


def test_one_token_does_not_write_a_file_twice(tmp_path: Path) -> None:
    """Neither as a file nor as a sink of type file."""
    text = (
        f'{MINIMAL}[[tokens.deploy.files]]\npath = "x"\n[[tokens.deploy.sinks]]\ntype = "file"\npath = "x"\n'
    )
    assert ["tokens.deploy.sinks[0].path"] == list(faults_of(tmp_path, text))


def test_a_token_file_is_not_the_socket(tmp_path: Path) -> None:
    """R-007: a rename would take the socket away."""
    text = f'{MINIMAL}[[tokens.deploy.files]]\npath = "token-broker.sock"\n'
    assert {"tokens.deploy.files[0].path": "is the same file as socket.path; give each its own"} == faults_of(
        tmp_path, text
    )


def test_the_two_sockets_are_not_one(tmp_path: Path) -> None:
    """R-007: the ops listener may be a Unix socket as well."""
    text = '[ops]\nlisten = "unix:/run/token-broker/token-broker.sock"\n'
    assert {"ops.listen": "is the same file as socket.path; give each its own"} == faults_of(tmp_path, text)


def test_a_file_is_not_the_directory_of_another(tmp_path: Path) -> None:
    """R-007: one of the two could never be written, in either order."""
    message = "is below tokens.deploy.files[0].path, which is a file; give it another directory"
    assert {"tokens.second.files[0].path": message} == faults_of(tmp_path, with_files("x", "x/y/z"))
    assert ["tokens.deploy.files[0].path"] == list(faults_of(tmp_path, with_files("x/y/z", "x")))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories a and b within each other, three deep, and a link to one of them."""
    base = tmp_path_factory.mktemp("tree")
    for names in product("ab", repeat=3):
        base.joinpath(*names).mkdir(parents=True)
    (base / "link").symlink_to("a/b")
    return base


SEGMENTS = st.lists(st.sampled_from(["a", "b", "link", ".", ""]), max_size=5).map(
    lambda names: "/".join(["", *names])
)


@given(SEGMENTS, SEGMENTS)
def test_two_directories_are_one_exactly_if_the_system_says_so(tree: Path, first: str, second: str) -> None:
    """R-007: pairs of spellings, symbolic links among them, against the system's own answer."""
    resolver = PathResolver({}, "/")
    one, other = (resolver.resolve(f"{tree}{names}") for names in (first, second))
    assume(Path(one).is_dir() and Path(other).is_dir())
    same = Path(one).samefile(other)
    assert same is (directory_entry(f"{one}/f") == directory_entry(f"{other}/f"))


DIFFERENT = {
    "client_secret": '{ backend = "local", path = "other" }',
    "client_secret_expires": "2030-01-02",
    "default_lifetime": '"300s"',
    "min_lifetime": '"10s"',
    "poll_secret_version": '"30s"',
    "renew_at": "0.7",
    "strip_newline": "false",
}


@pytest.mark.parametrize("key", MINTING_SETTINGS)
def test_one_identity_has_one_set_of_minting_settings(tmp_path: Path, key: str) -> None:
    """R-007: two answers for one token cannot both be right."""
    second = (
        SECOND.replace('client_secret = { backend = "local", path = "deploy" }\n', "")
        if key == "client_secret"
        else SECOND
    )
    faults = faults_of(tmp_path, f"{MINIMAL}{second}{key} = {DIFFERENT[key]}\n")
    assert ["tokens.second"] == list(faults)
    assert "asks for the same token as tokens.deploy" in faults["tokens.second"]
    assert f"with another {key};" in faults["tokens.second"]


@pytest.mark.parametrize(
    "addition",
    [
        "",
        "required = false",
        'scope = ["x"]\nrenew_at = 0.7',
        'audience = "x"\nrenew_at = 0.7',
        'allow = { users = ["jenkins"] }',
        'resource = ["urn:x"]\nrenew_at = 0.7',
        'parameters = { x = "y" }\nrenew_at = 0.7',
    ],
)
def test_another_request_or_equal_settings_are_no_fault(tmp_path: Path, addition: str) -> None:
    """Who may read a token and where it goes may differ."""
    assert {} == faults_of(tmp_path, f"{MINIMAL}{SECOND}{addition}\n")


def test_the_order_of_scopes_makes_no_other_token(tmp_path: Path) -> None:
    """RFC 6749 3.3: a set."""
    text = f'{MINIMAL}scope = ["a", "b"]\n{SECOND}scope = ["b", "a"]\nrenew_at = 0.7\n'
    assert ["tokens.second"] == list(faults_of(tmp_path, text))


def test_two_authorization_servers_share_nothing(tmp_path: Path) -> None:
    """interface.md 7: even with one issuer."""
    server = '[authorization_servers.other]\nissuer = "https://idp.example"\n'
    second = SECOND.replace('server = "idp"', 'server = "other"')
    assert {} == faults_of(tmp_path, f"{MINIMAL}{server}{second}renew_at = 0.7\n")
