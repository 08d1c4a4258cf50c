"""Directories that disappear under a running daemon, and what may stand where a token belongs: seen from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import run_verb
from tests.publishing.daemons import all_published, daemon_of, mints
from tests.publishing.places import mount, tmpfs
from tests.waiting import eventually

pytestmark = pytest.mark.publishing

Server = DevelopmentAuthorizationServer
REPAIRED_SECONDS = 60.0


def test_what_was_deleted_is_there_again_within_a_minute(tmp_path: Path, server: Server) -> None:
    """F-36, R-121: rm -rf of the runtime directory with socket and lock, a tmpfs mounted anew, a mode changed."""
    with ExitStack() as stack:
        place = stack.enter_context(tmpfs(tmp_path / "memory", "size=1m"))
        files = {"memory": place / "token", "opened": tmp_path / "opened" / "token"}
        daemon = stack.enter_context(daemon_of(server, tmp_path, files))
        deploy = tmp_path / "run" / "tokens" / "deploy"
        everything = {"deploy": deploy, **files}
        before = all_published(daemon, everything)
        inode = files["opened"].stat().st_ino

        shutil.rmtree(tmp_path / "run")
        subprocess.run(["umount", place], check=True)
        mount(place, "size=1m")
        files["opened"].chmod(0o666)
        began = time.monotonic()

        def repaired() -> bool:
            ours = daemon.socket.exists() and (tmp_path / "run" / "lock").exists()
            same = before == {name: path.read_bytes() for name, path in everything.items()}
            return ours and same and {0o100600} == {path.stat().st_mode for path in everything.values()}

        eventually(repaired, timeout=REPAIRED_SECONDS, what="every file as it was", retry_on=(OSError,))
        assert time.monotonic() - began <= REPAIRED_SECONDS
        assert 0o755 == deploy.parent.stat().st_mode & 0o777
        assert inode == files["opened"].stat().st_ino
        assert [1, 1, 1] == [mints(server, name) for name in everything]
        assert 200 == daemon.ask("/v1/tokens/deploy")[0]
        assert 73 == run_verb("run", "--config", daemon.config).returncode


def test_what_is_no_file_is_refused_and_a_foreign_file_replaced(tmp_path: Path, server: Server) -> None:
    """F-35, R-119: a FIFO and a directory stay and are told; a hard link and another user's file give way."""
    names = ("fifo", "directory", "linked", "foreign")
    files = {name: tmp_path / "run" / name / "token" for name in names}
    for path in files.values():
        path.parent.mkdir(parents=True)
    os.mkfifo(files["fifo"])
    files["directory"].mkdir()
    files["linked"].write_text("shared")
    (tmp_path / "other-name").hardlink_to(files["linked"])
    files["foreign"].write_text("theirs")
    files["foreign"].chmod(0o666)
    if os.geteuid() == 0:
        os.chown(files["foreign"], 65534, 65534)
    with daemon_of(server, tmp_path, files) as daemon:
        for name, kind in (("fifo", "a FIFO"), ("directory", "a directory")):
            record = daemon.wait_for(name=name, condition="publish_failed")
            assert f"{files[name]} is {kind}, not a file: remove it" in record["reason"]
            assert 200 == daemon.ask(f"/v1/tokens/{name}")[0]
        eventually(
            lambda: {files[name].read_text() for name in ("linked", "foreign")}.isdisjoint(
                {"shared", "theirs"}
            ),
            what="both are replaced",
        )
        for name in ("linked", "foreign"):
            status = files[name].stat()
            assert (0o100600, os.geteuid(), 1) == (status.st_mode, status.st_uid, status.st_nlink)
            assert server.introspect(files[name].read_text())["active"] is True
        assert "shared" == (tmp_path / "other-name").read_text()
        files["fifo"].unlink()
        daemon.wait_for(name="fifo", condition="ok")
        assert 1 == mints(server, "fifo")
