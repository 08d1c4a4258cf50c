"""Readers never see half a token; in which order that is achieved; what a killed process leaves."""

from __future__ import annotations

import re
import threading
from itertools import count
from pathlib import Path

import pytest

from tests.sinks.publisher_process import publisher_process
from tests.sinks.publishing import WHOLE_TOKEN, entries, publication, sink_for, token_text
from tests.sinks.tracing import traced

READERS = 8
READS = 2_000
PUBLICATIONS = 200


def test_readers_always_find_a_whole_token(tmp_path: Path) -> None:
    """R-114: no read is empty, short, mixed or without a file; tests/publishing has the long form of this."""
    path, sink = tmp_path / "token", sink_for(tmp_path / "token")
    sink.publish(publication(0))
    torn: list[bytes] = []
    numbers: set[bytes] = set()

    over = threading.Event()

    def read() -> None:
        reads = 0
        while reads < READS or not over.is_set():
            reads += 1
            content = path.read_bytes()
            numbers.add(content[:10])
            if not WHOLE_TOKEN.fullmatch(content):
                torn.append(content)

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for number in range(1, PUBLICATIONS + 1):
        sink.publish(publication(number, fill=(number * 997) % 9_000))
    over.set()
    for reader in readers:
        reader.join()
    assert [] == torn
    assert len(numbers) > 1
    assert ["token"] == entries(tmp_path)


def test_the_order_of_system_calls(tmp_path: Path) -> None:
    """R-113: all through the directory's descriptor, mode before content, content before the name."""
    directory = tmp_path / "tokens"
    with publisher_process(directory / "token") as publisher:
        publisher.publish(1)
        with traced(
            publisher.pid, tmp_path / "trace", "-e", "trace=openat,fchmod,write,fsync,close,/^rename"
        ):
            assert "ok" == publisher.publish(2, fill=10)
    lines = (tmp_path / "trace").read_text().splitlines()
    temporary = r"\.token-broker\.[0-9a-f]{12}\.[0-9a-f]{16}"
    inside = rf"[0-9]+<{re.escape(str(directory))}>"
    written = rf"[0-9]+<{re.escape(str(directory))}/{temporary}>"
    golden = [
        rf'openat\({inside}, "{temporary}", O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW\|O_CLOEXEC, 0600\) = .*',
        rf"fchmod\({written}, 0600\) += 0",
        rf'write\({written}, "S3CR3T-2-x{{10}}-end", 23\) += 23',
        rf"fsync\({written}\) += 0",
        rf"close\({written}\) += 0",
        rf'renameat2?\({inside}, "{temporary}", {inside}, "token"(, 0)?\) += 0',
        rf"fsync\({inside}\) += 0",
    ]
    calls = [line for line in lines if "token-broker." in line or line.startswith("fsync")]
    assert [True] * len(golden) == [bool(re.fullmatch(*pair)) for pair in zip(golden, calls, strict=True)], (
        calls
    )
    walked = [line for line in lines if line.startswith("openat") and "O_CREAT" not in line]
    assert all("O_NOFOLLOW" in line or '"/"' in line or '"."' in line for line in walked), walked


@pytest.mark.parametrize("call", ["write", "fsync", "/^rename"])
def test_a_kill_leaves_a_whole_token(tmp_path: Path, call: str) -> None:
    """R-116: and the next process cleans up and publishes. tests/publishing kills at all other calls, too."""
    path = tmp_path / "tokens" / "token"
    killed = 0
    for occurrence in count(1):
        inject = f"inject={call}:signal=KILL:when={occurrence}"
        with publisher_process(path) as publisher:
            publisher.publish(1)
            with traced(publisher.pid, tmp_path / "trace", "-e", f"trace={call}", "-e", inject):
                answer = publisher.publish(2, fill=3_000)
        assert path.read_text() in {token_text(1), token_text(2, fill=3_000)}
        with publisher_process(path) as successor:
            assert "ok" == successor.publish(3)
        assert (token_text(3), ["token"]) == (path.read_text(), entries(path.parent))
        if answer:
            break
        killed += 1
        if call == "write":  # the next one is the process's own answer
            break
    assert killed > 0
