"""Whatever call fails, the old token stays, nothing is left lying about, and the next try succeeds.

The calls that matter most; tests/publishing has every error at every call.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache import require_namespaces
from tests.sinks.publisher_process import PublisherProcess, publisher_process
from tests.sinks.publishing import entries, token_text
from tests.sinks.tracing import traced

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE", "EINTR")
BEFORE_THE_NAME_CHANGES = ("fchmod", "write", "/^rename")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the process under test publishes."""
    return tmp_path / "tokens" / "token"


@pytest.fixture
def publisher(path: Path) -> Iterator[PublisherProcess]:
    """A process that published revision 1."""
    with publisher_process(path) as process:
        assert "ok" == process.publish(1)
        yield process


def publish_with(
    publisher: PublisherProcess, output: Path, call: str, fault: str, *, number: int
) -> tuple[str, bool]:
    """Publish while strace does `fault` to `call`; the answer, and whether it came to that."""
    with traced(publisher.pid, output, "-e", f"trace={call}", "-e", f"inject={call}:{fault}"):
        answer = publisher.publish(number)
    return answer, "INJECTED" in output.read_text()


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", BEFORE_THE_NAME_CHANGES)
def test_each_error_keeps_the_old_token_and_says_what_to_do(
    publisher: PublisherProcess, path: Path, tmp_path: Path, call: str, error: str
) -> None:
    """R-115: one line names the path, the error and a fix; an interrupted call is repeated or reported."""
    answer, injected = publish_with(publisher, tmp_path / "trace", call, f"error={error}:when=1", number=2)
    assert injected
    if error == "EINTR" and answer == "ok":
        assert token_text(2) == path.read_text()
    else:
        assert answer.startswith(f"error: cannot publish {path}: ")
        assert 3 == answer.count(": ")
        assert token_text(1) == path.read_text()
    assert ["token"] == entries(path.parent)


def test_an_unsafe_name_is_written_anew_and_not_only_synced_again(
    publisher: PublisherProcess, path: Path, tmp_path: Path
) -> None:
    """A second fsync after a failed one succeeds without a reason; what is in doubt is published again."""
    answer, injected = publish_with(publisher, tmp_path / "trace", "fsync", "error=EIO:when=2", number=2)
    assert (True, True) == (injected, "Input/output error" in answer)
    before = path.stat().st_ino
    assert "ok" == publisher.publish(2)
    assert before != path.stat().st_ino
    after = path.stat().st_ino
    assert "ok" == publisher.publish(2)
    assert after == path.stat().st_ino


def test_a_directory_without_fsync_is_good_enough(
    publisher: PublisherProcess, path: Path, tmp_path: Path
) -> None:
    """Some network file systems answer EINVAL for a directory, and nothing can be done about it."""
    answer, injected = publish_with(publisher, tmp_path / "trace", "fsync", "error=EINVAL:when=2", number=2)
    assert (True, "ok", token_text(2)) == (injected, answer, path.read_text())


def test_what_could_not_be_removed_is_removed_later(
    publisher: PublisherProcess, path: Path, tmp_path: Path
) -> None:
    """R-115: a file system that turned read-only keeps our temporary file, until it is writable again."""
    inject = ("-e", "inject=/^rename:error=EROFS", "-e", "inject=/^unlink:error=EROFS")
    with traced(publisher.pid, tmp_path / "trace", "-e", "trace=/^rename,/^unlink", *inject):
        assert "Read-only file system" in publisher.publish(2)
    assert 2 == len(entries(path.parent))
    assert "ok" == publisher.publish(2)
    assert (["token"], token_text(2)) == (entries(path.parent), path.read_text())


def test_cleaning_up_never_hinders_a_publication(
    publisher: PublisherProcess, path: Path, tmp_path: Path
) -> None:
    """A directory that cannot be listed, or does not say what room it has, is still good for a token."""
    publish_with(publisher, tmp_path / "trace", "write", "error=EIO:when=1", number=2)
    inject = ("-e", "inject=/^getdents:error=EIO", "-e", "inject=/^(fstatfs|statfs):error=EIO")
    with traced(publisher.pid, tmp_path / "trace", "-e", "trace=/^getdents,/^(fstatfs|statfs)", *inject):
        assert "ok" == publisher.publish(2)
    assert token_text(2) == path.read_text()


def test_a_file_too_large_is_cut_short_and_not_published(publisher: PublisherProcess, path: Path) -> None:
    """R-115: the first write is short, the second fails, and nobody sees what was written."""
    assert "ok" == publisher.ask("limit 100")
    assert "File too large" in publisher.publish(2, fill=200)
    assert (token_text(1), ["token"]) == (path.read_text(), entries(path.parent))
    assert "ok" == publisher.ask("limit -1")
    assert "ok" == publisher.publish(2, fill=200)
    assert token_text(2, fill=200) == path.read_text()


def test_a_write_of_nothing_is_an_error(publisher: PublisherProcess, path: Path, tmp_path: Path) -> None:
    """R-115: and not a loop without end."""
    answer, _ = publish_with(publisher, tmp_path / "trace", "write", "retval=0:when=1", number=2)
    assert "Input/output error" in answer
    assert token_text(1) == path.read_text()


@pytest.mark.parametrize(("limit", "filler"), [("size=32k", 64 * 1024), ("nr_inodes=4", 0)])
def test_a_full_file_system_heals_when_there_is_space_again(tmp_path: Path, limit: str, filler: int) -> None:
    """F-31, R-126: out of space or of inodes; the old token stays byte for byte; little room is told before."""
    require_namespaces("-m", trial=("mount", "-t", "tmpfs", "tmpfs", str(tmp_path)))
    mount = f'mount -t tmpfs -o mode=0755,{limit} tmpfs {tmp_path} && exec "$@"'
    with publisher_process(
        tmp_path / "token", wrapper=("unshare", "-m", "sh", "-c", mount, "sh")
    ) as publisher:
        inside = Path(f"/proc/{publisher.pid}/root{tmp_path}")
        assert "ok" == publisher.publish(1)
        assert 1 == publisher.ask("warnings").count("free space there before the next token comes")
        fillers = _fill(inside, filler)
        answer = publisher.publish(2)
        assert "No space left on device: free space there" in answer
        assert token_text(1) == (inside / "token").read_text()
        assert [] == [name for name in entries(inside) if name.startswith(".")]
        for name in fillers:
            (inside / name).unlink()
        assert "ok" == publisher.publish(2)
        assert token_text(2) == (inside / "token").read_text()


def _fill(directory: Path, size: int) -> list[str]:
    names: list[str] = []
    try:
        for index in range(16):
            names.append(f"filler-{index}")
            (directory / names[-1]).write_bytes(b"." * size)
    except OSError:
        return [name for name in names if (directory / name).exists()]
    raise AssertionError("the file system did not fill up")
