"""The directory in which `dev` plays."""

from __future__ import annotations

import os
import shutil
import stat
import tomllib
from pathlib import Path

import pytest

from broker.dev.stage import Stage, StageTaken
from broker.model import Secret

SECRET = Secret("S3CR3T-client-secret")


def furnished(directory: Path) -> Stage:
    """A stage with everything on it."""
    stage = Stage(directory)
    stage.furnish(
        ops="127.0.0.1:9464",
        discovery_url="http://127.0.0.1:1/identity/.well-known/openid-configuration",
        issuer="http://127.0.0.1:1/auth/realms/dev",
        secret=SECRET,
    )
    return stage


def test_a_stage_is_made_where_there_is_none_and_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C cleans up, the directory too."""
    stage = furnished(tmp_path / "run")
    assert 0o700 == stat.S_IMODE((tmp_path / "run").stat().st_mode)
    stage.strike()
    assert [] == list(tmp_path.iterdir())


def test_the_configuration_names_the_places_and_not_the_secret(tmp_path: Path) -> None:
    """A secret value is never in a configuration file."""
    stage = furnished(tmp_path / 'a "quoted" run')
    text = stage.config.read_text()
    assert str(stage.directory) == tomllib.loads(text)["broker"]["runtime_dir"]
    assert "S3CR3T" not in text
    stage.strike()


def test_a_secret_is_stored_as_a_whole_for_its_owner_only(tmp_path: Path) -> None:
    """The first one and the rotated one."""
    stage = furnished(tmp_path / "run")
    before = stage.secret.stat().st_ino
    stage.store(Secret("S3CR3T-rotated"))
    assert "S3CR3T-rotated" in stage.secret.read_text()
    assert before != stage.secret.stat().st_ino
    assert 0o600 == stat.S_IMODE(stage.secret.stat().st_mode)
    stage.strike()


def test_what_a_killed_performance_left_is_cleared(tmp_path: Path) -> None:
    """The lock went with the process; the files stayed."""
    left = furnished(tmp_path / "run")
    os.close(left.lock)
    stage = Stage(tmp_path / "run")
    assert [".token-broker-dev"] == [entry.name for entry in stage.directory.iterdir()]
    stage.strike()


def test_other_peoples_files_are_never_cleared(tmp_path: Path) -> None:
    """A project may have a ./run of its own."""
    theirs = tmp_path / "run" / "important.txt"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    with pytest.raises(StageTaken, match="move it away"):
        Stage(tmp_path / "run")
    assert "theirs" == theirs.read_text()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    """What they lead to is not ours."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "important.txt").write_text("theirs")
    stage = furnished(tmp_path / "run")
    (stage.directory / "link").symlink_to(theirs)
    stage.strike()
    assert "theirs" == (theirs / "important.txt").read_text()


def test_a_directory_that_is_gone_already_is_fine(tmp_path: Path) -> None:
    """Somebody tidied up while it played."""
    stage = furnished(tmp_path / "run")
    shutil.rmtree(stage.directory)
    stage.strike()
    assert [] == list(tmp_path.iterdir())


def test_two_performances_do_not_share_a_stage(tmp_path: Path) -> None:
    """The second one is told, and the first one is not disturbed."""
    stage = furnished(tmp_path / "run")
    with pytest.raises(StageTaken, match="another"):
        Stage(tmp_path / "run")
    assert stage.secret.exists()
    stage.strike()
