"""What `check` says of files and directories, on top of `load`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.config.inspection import Inspection, inspect
from broker.config.schema import Config
from tests.config.surroundings import load_text

NOBODY = 65_534


@dataclass
class FakeDirectories:
    """Refuses what is listed, and takes everything for a disk that is listed."""

    unsafe: dict[str, str] = field(default_factory=dict)
    disks: dict[str, str] = field(default_factory=dict)

    def refusal(self, directory: str) -> str | None:
        return self.unsafe.get(directory)

    def disk(self, directory: str) -> str | None:
        return self.disks.get(directory)


@dataclass
class FakeKeyFiles:
    """Refuses what is listed."""

    bad: dict[str, str] = field(default_factory=dict)

    def refusal(self, path: str) -> str | None:
        return self.bad.get(path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with everything that the configuration below names."""
    for name in ("run", "state", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "ca.pem").touch()
    return tmp_path


BARE = """
[broker]
runtime_dir = "{home}/run"
state_dir = "{home}/state"
"""


def configured(home: Path, *, file: str = "tokens/deploy", more: str = "") -> Config:
    """A configuration below `home` that names everything once."""
    return load_text(
        home,
        f"""
        [broker]
        runtime_dir = "{home}/run"
        state_dir = "{home}/state"

        [secret_backends.local]
        type = "file"
        directory = "{home}/secrets"

        [authorization_servers.idp]
        issuer = "https://idp.example"
        ca_file = "{home}/ca.pem"

        [tokens.deploy]
        authorization_server = "idp"
        client_id = "deploy"
        client_secret = {{ backend = "local", path = "deploy" }}

        [[tokens.deploy.files]]
        path = "{file}"
        {more}
        """,
    )


def looked_at(home: Path, directories: FakeDirectories | None = None) -> Inspection:
    """The inspection of that configuration."""
    return inspect(configured(home), directories=directories or FakeDirectories(), key_files=FakeKeyFiles())


def as_somebody_else(config: Config) -> dict[str, str]:
    """The faults that a user finds who owns nothing here: another than root, who may write anywhere."""
    if os.geteuid() != 0:
        return faults_in(inspect(config, directories=FakeDirectories(), key_files=FakeKeyFiles()))
    os.seteuid(NOBODY)
    try:
        return faults_in(inspect(config, directories=FakeDirectories(), key_files=FakeKeyFiles()))
    finally:
        os.seteuid(0)


def faults_in(inspection: Inspection) -> dict[str, str]:
    """The messages by path."""
    return {fault.path: fault.message for fault in inspection.faults}


def test_where_everything_is_there_nothing_is_said(home: Path) -> None:
    """The directory of the token file need not exist: publishing creates it."""
    assert Inspection(faults=(), notes=()) == looked_at(home)


def test_what_is_missing_is_named(home: Path) -> None:
    """A condition at run time, a line here; the plug-in's own inputs included."""
    (home / "ca.pem").unlink()
    (home / "secrets").rmdir()
    assert {
        "secret_backends.local.directory": f"no such directory: {home}/secrets",
        "authorization_servers.idp.ca_file": f"no such file: {home}/ca.pem",
    } == faults_in(looked_at(home))


def test_what_is_of_another_kind_is_named(home: Path) -> None:
    """A directory is no certificate."""
    (home / "ca.pem").unlink()
    (home / "ca.pem").mkdir()
    (home / "secrets").rmdir()
    (home / "secrets").touch()
    assert {
        "secret_backends.local.directory": f"not a directory: {home}/secrets",
        "authorization_servers.idp.ca_file": f"not a file: {home}/ca.pem",
    } == faults_in(looked_at(home))


def test_a_pipe_does_not_hang_the_check(home: Path) -> None:
    """Nobody may ever write to it."""
    (home / "ca.pem").unlink()
    os.mkfifo(home / "ca.pem")
    assert {} == faults_in(looked_at(home))


def test_a_file_that_cannot_be_read_has_the_reason(home: Path) -> None:
    """A loop of links binds root too."""
    (home / "ca.pem").unlink()
    (home / "ca.pem").symlink_to("ca.pem")
    message = faults_in(looked_at(home))["authorization_servers.idp.ca_file"]
    assert f"cannot be read: {home}/ca.pem (Too many levels of symbolic links)" == message


@pytest.fixture
def closed() -> Iterator[Path]:
    """A directory that everybody can see and nobody but root may write."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)


def test_a_directory_that_cannot_be_written_names_path_owner_and_mode(home: Path, closed: Path) -> None:
    """And for whom, for another user than the broker's may ask."""
    message = as_somebody_else(configured(home, file=f"{closed}/deploy"))["tokens.deploy.files[0].path"]
    assert message.startswith("not writable for ")
    assert (
        f": {closed} (owner {closed.owner()}, mode 0555); give the broker's user write permission" in message
    )


def test_a_missing_directory_is_judged_by_the_one_above_it(home: Path, closed: Path) -> None:
    """Publishing would create it there."""
    message = as_somebody_else(configured(home, file=f"{closed}/a/b/deploy"))["tokens.deploy.files[0].path"]
    assert message.startswith(f"{closed}/a/b is not there, and {closed} (owner {closed.owner()}, mode 0555)")


def test_a_file_in_the_place_of_a_directory_is_named(home: Path) -> None:
    """Nothing can be created below it."""
    (home / "run" / "tokens").touch()
    assert {"tokens.deploy.files[0].path": f"not a directory: {home}/run/tokens"} == faults_in(
        looked_at(home)
    )


def test_a_directory_that_the_sink_refuses_is_a_fault_in_its_words(home: Path) -> None:
    """One place decides what is unsafe."""
    (home / "run" / "tokens").mkdir()
    directories = FakeDirectories(unsafe={f"{home}/run/tokens": "writable by others"})
    assert {"tokens.deploy.files[0].path": "writable by others"} == faults_in(looked_at(home, directories))


def test_the_runtime_directory_is_looked_at_without_files_in_it(home: Path) -> None:
    """The socket is there in any case."""
    directories = FakeDirectories(unsafe={f"{home}/run": "writable by others"})
    assert {"broker.runtime_dir": "writable by others"} == faults_in(looked_at(home, directories))


def test_a_file_system_that_is_not_memory_is_noted(home: Path) -> None:
    """Worth knowing, and no fault; once per directory."""
    notes = looked_at(home, FakeDirectories(disks={f"{home}/run": "ext4"})).notes
    assert ["tokens.deploy.files[0].path", "broker.runtime_dir"] == [note.path for note in notes]
    assert (
        f"{home}/run is on ext4, not on a memory file system: tokens outlive a power cut" == notes[1].message
    )


def test_a_file_that_holds_no_key_is_named(home: Path) -> None:
    """F-51: the cache would be of no use, and its line says so; what is missing is told as for any file."""
    config = load_text(home, f'[cache]\nkey_file = "{home}/key"\n{BARE.format(home=home)}')
    bad = FakeKeyFiles(bad={f"{home}/key": "is not a key"})
    missing = inspect(config, directories=FakeDirectories(), key_files=bad)
    assert {"cache.key_file": f"no such file: {home}/key"} == faults_in(missing)
    (home / "key").touch()
    malformed = inspect(config, directories=FakeDirectories(), key_files=bad)
    assert {"cache.key_file": "is not a key"} == faults_in(malformed)


def test_a_program_that_cannot_be_run_is_named(home: Path) -> None:
    """A hook would fail with every new token; where PATH leads to a program, that is found."""
    table = '[[tokens.deploy.files]]\npath = "{path}"\non_change = {{ exec = ["{program}"] }}\n'
    programs = ("sh", "/bin/sh", f"{home}/app")
    more = "".join(table.format(path=f"tokens/{n}", program=program) for n, program in enumerate(programs))
    inspection = inspect(configured(home, more=more), directories=FakeDirectories(), key_files=FakeKeyFiles())
    message = faults_in(inspection)["tokens.deploy.files[3].on_change.exec[0]"]
    assert message.endswith(f"{home}/app; install it, make it executable, or name another")
    assert 1 == len([path for path in faults_in(inspection) if "on_change" in path])
