"""on_change of a token file: its keys, and when there is something to tell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.api import PluginContext
from broker.app.plugin_vocabulary import PluginVocabulary
from broker.plugins import Plugins
from broker.sinks.file import FileSink, FileSinkOptions, plugin
from broker.testing.observer import RecordingObserver
from tests.config.surroundings import MINIMAL, faults_of
from tests.sinks.publishing import entries, publication

WRITE_ENVIRONMENT = (
    "import os, pathlib, sys; "
    "pathlib.Path(sys.argv[1]).write_text(open('/proc/self/environ').read().replace(chr(0), chr(10)))"
)


def options(directory: Path, **keys: Any) -> FileSinkOptions:
    """Of a file in this directory, with a hook that writes down its environment."""
    run = [sys.executable, "-I", "-c", WRITE_ENVIRONMENT, str(directory / "environment")]
    return msgspec.convert(
        {"path": str(directory / "token"), "on_change": {"exec": run}, **keys}, FileSinkOptions
    )


def sink(made_of: FileSinkOptions) -> FileSink:
    """As a process makes it anew at its start."""
    return FileSink(made_of, PluginContext(name="deploy", observer=RecordingObserver()))


def tell(made_of: FileSinkOptions, number: int) -> None:
    """Call the hook, as after the publication of this revision."""
    hook = plugin.hook(made_of)
    assert hook is not None
    hook.tell(publication(number))


def test_a_program_is_told_where_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """interface.md 7: these four variables, and never the token."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    tell(options(tmp_path), 7)
    assert [
        "PATH=/usr/bin:/bin",
        f"TOKEN_FILE={tmp_path}/token",
        "TOKEN_NAME=deploy",
        "TOKEN_REVISION=7",
    ] == sorted((tmp_path / "environment").read_text().split())


def test_there_is_something_to_tell_until_it_was_told(tmp_path: Path) -> None:
    """A repair of what was told, by this process or the next, is no change; a new token is."""
    made_of = options(tmp_path)
    first = sink(made_of)
    assert [True, True] == [first.publish(publication(1)), first.publish(publication(1))]
    tell(made_of, 1)
    assert not first.publish(publication(1))
    (tmp_path / "token").unlink()
    assert not first.publish(publication(1))
    (tmp_path / "token").write_text("S3CR3T-foreign")
    assert not sink(made_of).publish(publication(1))
    assert sink(made_of).publish(publication(2))


def test_what_a_process_did_not_live_to_tell_the_next_one_tells(tmp_path: Path) -> None:
    """Killed between the rename and the end of the hook: the file is as it should be, and still news."""
    made_of = options(tmp_path)
    sink(made_of).publish(publication(1))
    assert sink(made_of).publish(publication(1))
    tell(made_of, 1)
    sink(made_of).publish(publication(2))
    assert sink(made_of).publish(publication(2))


def test_what_was_there_before_the_hook_is_no_news(tmp_path: Path) -> None:
    """Somebody adds on_change to the configuration: nothing has changed yet."""
    FileSink(
        FileSinkOptions(path=str(tmp_path / "token")),
        PluginContext(name="deploy", observer=RecordingObserver()),
    ).publish(publication(1))
    made_of = options(tmp_path)
    assert not sink(made_of).publish(publication(1))
    assert sink(made_of).publish(publication(2))


def test_a_late_hook_does_not_speak_for_a_later_token(tmp_path: Path) -> None:
    """The second token came while the program worked on the first."""
    made_of = options(tmp_path)
    sink(made_of).publish(publication(1))
    sink(made_of).publish(publication(2))
    tell(made_of, 1)
    assert sink(made_of).publish(publication(2))


def test_a_new_revision_with_the_same_bytes_is_no_change(tmp_path: Path) -> None:
    """A server that answers the same token again; where the revision is in the file, it is one."""
    for format_, changes in (("raw", False), ("json", True)):
        made_of = options(tmp_path, format=format_)
        sink(made_of).publish(publication(1, text="S3CR3T-same"))
        hook = plugin.hook(made_of)
        assert hook is not None
        hook.tell(publication(1, text="S3CR3T-same"))
        assert changes is sink(made_of).publish(publication(2, text="S3CR3T-same"))


def test_the_record_holds_nothing_of_the_token_and_goes_with_it(tmp_path: Path) -> None:
    """One hidden file, for the broker alone."""
    made_of = options(tmp_path)
    published = sink(made_of)
    published.publish(publication(1))
    tell(made_of, 1)
    (tmp_path / "environment").unlink()
    (record,) = [name for name in entries(tmp_path) if name != "token"]
    assert record.startswith(".token-broker-told.")
    assert "S3CR3T" not in (tmp_path / record).read_text()
    assert 0o600 == (tmp_path / record).stat().st_mode & 0o777
    published.withdraw()
    assert [] == entries(tmp_path)


def test_a_record_that_cannot_be_kept_costs_a_call_and_no_publication(tmp_path: Path) -> None:
    """Something of somebody else's is in its place."""
    made_of = options(tmp_path)
    sink(made_of).publish(publication(1))
    (record,) = [name for name in entries(tmp_path) if name != "token"]
    (tmp_path / record).unlink()
    (tmp_path / record).mkdir()
    tell(made_of, 1)
    assert sink(made_of).publish(publication(2))
    assert not sink(made_of).publish(publication(2))


def test_a_file_without_a_hook_has_none(tmp_path: Path) -> None:
    """And no record beside it; its change is answered all the same."""
    plain = FileSinkOptions(path=str(tmp_path / "token"))
    assert plugin.hook(plain) is None
    published = sink(plain)
    assert [True, False] == [published.publish(publication(1)), published.publish(publication(1))]
    assert ["token"] == entries(tmp_path)


EXEC = "on_change.exec[0]"


@pytest.mark.parametrize(
    ("on_change", "path", "message"),
    [
        ("{}", "on_change", "says nothing; give signal and pid_file, or exec"),
        ('{ signal = "HUP" }', "on_change.pid_file", "required with signal"),
        ('{ pid_file = "/run/app.pid" }', "on_change.signal", "required with pid_file"),
        ('{ signal = "SIGKILL", pid_file = "/run/app.pid" }', "on_change.signal", 'one of "CONT", "HUP"'),
        ('{ exec = ["bin/app", "reload"] }', EXEC, "must be the absolute path of a program"),
        ('{ exec = [""] }', EXEC, "must be the absolute path of a program"),
        ('{ exec = ["/usr/bin/app", "S3CR3T\\u0000"] }', "on_change.exec[1]", "has a NUL"),
        ('{ exec = "/usr/bin/app" }', "on_change.exec", "must be an array"),
        ('{ command = ["/usr/bin/app"] }', "on_change.command", "unknown key"),
    ],
)
def test_a_mistake_is_found_at_load(tmp_path: Path, on_change: str, path: str, message: str) -> None:
    """With its key, and without its value."""
    text = f'{MINIMAL}[[tokens.deploy.files]]\npath = "x"\non_change = {on_change}\n'
    faults = faults_of(tmp_path, text, vocabulary=PluginVocabulary(Plugins()))
    assert [f"tokens.deploy.files[0].{path}"] == list(faults)
    assert message in faults[f"tokens.deploy.files[0].{path}"]
    assert "S3CR3T" not in str(faults)


@pytest.mark.parametrize(
    "on_change",
    [
        '{ signal = "HUP", pid_file = "/run/app.pid" }',
        '{ exec = ["/usr/bin/app", "reload"] }',
        '{ exec = ["systemctl", "reload", "app"] }',
        '{ signal = "USR1", pid_file = "/run/app.pid", exec = ["/usr/bin/app"] }',
    ],
)
def test_what_the_interface_shows_has_no_fault(tmp_path: Path, on_change: str) -> None:
    """A pid file need not be there: its program may start later."""
    text = f'{MINIMAL}[[tokens.deploy.files]]\npath = "x"\non_change = {on_change}\n'
    assert {} == faults_of(tmp_path, text, vocabulary=PluginVocabulary(Plugins()))
