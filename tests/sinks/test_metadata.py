"""The companion of a token file: what is known about the token, without the token (R-123)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from broker.api import PluginContext, SinkError
from broker.sinks.file import FileSink, FileSinkOptions, plugin
from broker.testing.observer import RecordingObserver
from tests.config.surroundings import MINIMAL, faults_of
from tests.sinks.publishing import entries, publication


def sink(made_of: FileSinkOptions) -> FileSink:
    """The sink of these options."""
    return FileSink(made_of, PluginContext(name="deploy", observer=RecordingObserver()))


def test_the_companion_describes_the_token_as_its_golden_file_shows(tmp_path: Path) -> None:
    """R-123: fingerprint, times and the version of the secret; no token, and the permissions of the file."""
    made_of = FileSinkOptions(path=str(tmp_path / "token"), metadata=str(tmp_path / "about.json"), mode=0o640)
    given = publication(7, scope=("read", "write"))
    token = replace(given.revision.token, secret_version="v4")
    sink(made_of).publish(replace(given, revision=replace(given.revision, token=token)))
    content = (tmp_path / "about.json").read_bytes()
    assert (Path(__file__).parent / "golden" / "metadata").read_bytes() == content
    assert b"S3CR3T" not in content
    assert 0o640 == (tmp_path / "about.json").stat().st_mode & 0o777


def test_a_secret_without_a_version_has_a_null(tmp_path: Path) -> None:
    """The member is there in any case."""
    made_of = FileSinkOptions(path=str(tmp_path / "token"), metadata=str(tmp_path / "about.json"))
    sink(made_of).publish(publication(1))
    described = json.loads((tmp_path / "about.json").read_bytes())
    assert (None, None) == (described["secret_version"], described["scope"])


def test_the_companion_comes_after_the_token_and_goes_before_it(tmp_path: Path) -> None:
    """R-123: whatever fails, there is never a description of a token that is not there."""
    (tmp_path / "blocked").write_text("a file where a directory is needed")
    made_of = FileSinkOptions(path=str(tmp_path / "token"), metadata=str(tmp_path / "blocked" / "about.json"))
    published = sink(made_of)
    with pytest.raises(SinkError, match="about"):
        published.publish(publication(1))
    assert "S3CR3T-1--end" == (tmp_path / "token").read_text()
    with pytest.raises(SinkError, match="about"):
        published.withdraw()
    assert (tmp_path / "token").exists()
    (tmp_path / "blocked").unlink()
    published.publish(publication(1))
    published.withdraw()
    assert [] == [*entries(tmp_path / "blocked"), *(name for name in entries(tmp_path) if name == "token")]


@pytest.mark.parametrize("metadata", ["/run/tokens/", "/", "/run/tokens/.."])
def test_a_companion_needs_a_file_name(metadata: str) -> None:
    """As the token does."""
    (fault,) = plugin.check(FileSinkOptions(path="/run/t", metadata=metadata))
    assert ("metadata", "names a directory; name a file in it") == (fault.path, fault.message)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("x", "is the same file as tokens.deploy.files[0].path; give each its own"),
        ("y/../x", "is the same file as tokens.deploy.files[0].path; give each its own"),
        ("token-broker.sock", "is the same file as socket.path; give each its own"),
        ("x/about", "is below tokens.deploy.files[0].path, which is a file; give it another directory"),
    ],
)
def test_a_companion_has_a_place_of_its_own(tmp_path: Path, metadata: str, message: str) -> None:
    """R-007: its path is one like any other."""
    text = f'{MINIMAL}[[tokens.deploy.files]]\npath = "x"\nmetadata = "{metadata}"\n'
    assert {"tokens.deploy.files[0].metadata": message} == faults_of(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "rest"),
    [
        (("/t", "/about"), [("/t", "/other")], ("/about", None)),
        (("/t", "/about"), [("/t", None)], ("/about", None)),
        (("/t", "/about"), [("/t", None), ("/u", "/x/../about")], None),
        (("/t", "/about"), [("/u", "/about")], ("/t", None)),
        (("/t", "/about"), [("/u", "/t")], ("/about", None)),
        (("/t", "/about"), [], ("/t", "/about")),
        (("/t", None), [("/t", "/about")], None),
    ],
)
def test_what_a_reload_leaves_is_what_nobody_writes_any_more(
    old: tuple[str, str | None], new: list[tuple[str, str | None]], rest: tuple[str, str | None] | None
) -> None:
    """R-123: token file and companion each for itself, by where their paths lead."""
    assert plugin.rest is not None
    others = tuple(FileSinkOptions(path=path, metadata=metadata) for path, metadata in new)
    found = plugin.rest(FileSinkOptions(path=old[0], metadata=old[1]), others)
    assert rest == (None if found is None else (found.path, found.metadata))
