"""A daemon whose file systems run full, out of inodes, or read-only: seen from outside, healed without a new mint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.restarting import told
from tests.daemon.running import Daemon
from tests.publishing.daemons import all_published, daemon_of, mints
from tests.publishing.places import mount, tmpfs
from tests.sinks.publishing import entries
from tests.sinks.tracing import traced
from tests.waiting import eventually

pytestmark = pytest.mark.publishing

Server = DevelopmentAuthorizationServer
OPTIONS = {"full": "size=16k", "inodes": "nr_inodes=5", "readonly": "size=1m"}
SAYS = {"full": "No space left", "inodes": "No space left", "readonly": "Read-only file system"}
HEALED_SECONDS = 60.0


@pytest.fixture
def files(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """The token files by token name, each on a tmpfs of its own."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(tmpfs(tmp_path / "run" / name, options)) / "token"
            for name, options in OPTIONS.items()
        }


@pytest.fixture
def daemon(tmp_path: Path, server: Server, files: dict[str, Path]) -> Iterator[Daemon]:
    """Running, with every token published."""
    with daemon_of(server, tmp_path, files) as daemon:
        all_published(daemon, files)
        yield daemon


def fill(directory: Path, *, size: int) -> list[Path]:
    """Write files of this size until nothing more goes in."""
    made = []
    for number in range(32):
        made.append(directory / f"filler-{number}")
        try:
            made[-1].write_bytes(b"." * size)
        except OSError:
            return [path for path in made if path.exists()]
    raise AssertionError("the file system did not fill up")


def test_the_old_token_stays_until_there_is_space_and_no_other_is_minted(
    daemon: Daemon, server: Server, files: dict[str, Path]
) -> None:
    """F-31, R-115, R-126: byte for byte; told in the status and the log; the new one within a minute after."""
    before = {name: path.read_bytes() for name, path in files.items()}
    listed = {name: entries(path.parent) for name, path in files.items()}
    fillers = fill(files["full"].parent, size=4096) + fill(files["inodes"].parent, size=0)
    crowd = {name: [name for name in entries(files[name].parent) if name != "token"] for name in files}
    mount(files["readonly"].parent, "remount,ro")

    for name, path in files.items():
        assert 200 == daemon.ask(f"/v1/tokens/{name}/renew?wait=10s", "POST")[0]
        record = daemon.wait_for(name=name, condition="publish_failed", revision=2)
        assert SAYS[name] in record["reason"]
        assert str(path) in record["reason"]
    eventually(
        lambda: (daemon.metric("publishes_total", token="full", outcome="failure") or 0) >= 2,
        what="another attempt",
    )
    assert before == {name: path.read_bytes() for name, path in files.items()}
    assert crowd == {name: [n for n in entries(path.parent) if n != "token"] for name, path in files.items()}
    assert [200] * 3 == [daemon.ask(f"/v1/tokens/{name}")[0] for name in files]

    began = time.monotonic()
    for filler in fillers:
        filler.unlink()
    mount(files["readonly"].parent, "remount,rw")
    for name, path in files.items():
        daemon.wait_for(name=name, condition="ok", revision=2, timeout=HEALED_SECONDS)
        assert before[name] != path.read_bytes()
        assert server.introspect(path.read_text())["active"] is True
    assert time.monotonic() - began <= HEALED_SECONDS
    assert [2, 2, 2] == [mints(server, name) for name in files]
    assert listed == {name: entries(path.parent) for name, path in files.items()}
    warned = [text for text in told(daemon, "warning") if "free space there before" in text]
    assert {"full", "inodes"} <= {Path(text.split(" has ")[0]).name for text in warned}


@pytest.mark.parametrize("call", ["fsync", "/^rename", "close"])
def test_a_disk_that_fails_is_tried_again_without_another_mint(
    tmp_path: Path, server: Server, call: str
) -> None:
    """F-31: EIO from the disk of a running daemon; told as publish_failed, and the socket goes on serving."""
    path = tmp_path / "run" / "tokens" / "deploy"
    with daemon_of(server, tmp_path, {}) as daemon:
        before = all_published(daemon, {"deploy": path})["deploy"]
        # Only in the directory of the file: the daemon closes other things as well.
        fault = ("-f", "-P", str(path.parent), "-e", f"trace={call}", "-e", f"inject={call}:error=EIO")
        with traced(daemon.pid, tmp_path / "trace", *fault):
            assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
            record = daemon.wait_for(condition="publish_failed", revision=2)
            assert f"cannot publish {path}" in record["reason"]
            assert "Input/output error" in record["reason"]
            assert 200 == daemon.ask("/v1/tokens/deploy")[0]
        began = time.monotonic()
        daemon.wait_for(condition="ok", revision=2, timeout=HEALED_SECONDS)
        assert time.monotonic() - began <= HEALED_SECONDS
        assert before != path.read_bytes()
        assert ["deploy"] == entries(path.parent)
        assert 2 == mints(server, "deploy")
