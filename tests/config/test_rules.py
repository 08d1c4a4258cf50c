"""Names, and the tables of the broker itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.rules import listen_fault
from tests.config.surroundings import MINIMAL, faults_of


@pytest.mark.parametrize("section", ["secret_backends", "authorization_servers", "tokens"])
@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "ä", "a" * 65, "a\\n"])
def test_a_name_is_plain(tmp_path: Path, section: str, name: str) -> None:
    """interface.md 7: names are parts of paths, URLs and labels."""
    faults = faults_of(tmp_path, f'[{section}."{name}"]\n')
    said = [path for path, message in faults.items() if message.startswith("a name has 1 to 64 of")]
    assert 1 == len(said)
    assert said[0].startswith(f"{section}.")


@pytest.mark.parametrize("name", ["a", "0", "A.b_c-d", "a" * 64])
def test_a_plain_name_is_accepted(tmp_path: Path, name: str) -> None:
    """Dots included."""
    assert {} == faults_of(tmp_path, f'[authorization_servers."{name}"]\nissuer = "https://idp.example"\n')


def test_a_name_with_a_dot_is_quoted_in_paths(tmp_path: Path) -> None:
    """As it would be written in TOML."""
    assert ['authorization_servers."a.b".issuer'] == list(
        faults_of(tmp_path, '[authorization_servers."a.b"]\n')
    )


@pytest.mark.parametrize(
    "listen",
    [
        "127.0.0.1:9464",
        "[::1]:9464",
        "localhost:1",
        "0.0.0.0:65535",
        "127.0.0.1:0",
        "unix:/run/token-broker/ops.sock",
    ],
)
def test_an_address_to_listen_on(listen: str) -> None:
    """HOST:PORT, or a Unix socket."""
    assert listen_fault(listen) is None


@pytest.mark.parametrize(
    "listen",
    [
        "",
        "9464",
        ":9464",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "::1:9464",
        "[x]:1",
        "[::1]",
        "http://127.0.0.1:9464",
        "unix:ops.sock",
        f"unix:/{'x' * 107}",
        "a b:1",
        "127.0.0.1:٣",
    ],
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    """With an example of what is one."""
    assert listen_fault(listen)


def test_a_listener_without_port_is_a_fault_at_its_key(tmp_path: Path) -> None:
    """The path is what the operator searches for."""
    faults = faults_of(tmp_path, '[ops]\nlisten = "127.0.0.1"\n')
    assert {"ops.listen": "must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464"} == faults


@pytest.mark.parametrize(("length", "faults"), [(107, 0), (108, 1)])
def test_the_path_of_the_socket_fits_its_address(tmp_path: Path, length: int, faults: int) -> None:
    """The kernel's sun_path has 108 bytes with its end; bytes, not characters."""
    path = "/" + "ä" + "x" * (length - 3)
    assert length == len(path.encode())
    assert faults == len(faults_of(tmp_path, f'[socket]\npath = "{path}"\n'))


def test_too_long_a_path_says_how_long_and_what_to_shorten(tmp_path: Path) -> None:
    """A relative path has its base in it."""
    faults = faults_of(tmp_path, f'[broker]\nruntime_dir = "/{"x" * 99}"\n')
    assert ["socket.path"] == list(faults)
    assert "is 118 bytes long with its directory" in faults["socket.path"]
    assert "has at most 107; shorten it or broker.runtime_dir" in faults["socket.path"]


def test_the_deadline_of_a_start_is_not_now(tmp_path: Path) -> None:
    """`once` gives up at it."""
    assert {"broker.startup_deadline": "must be longer than 0"} == faults_of(
        tmp_path, f"[broker]\nstartup_deadline = 0\n{MINIMAL}"
    )
