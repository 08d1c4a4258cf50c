"""A program run to its end, to its limit, or until the broker stops."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from broker.errors import HookError
from broker.sinks.programs import Program
from tests.waiting import eventually

DUMP = """
import json, os, sys
descriptors = {}
for name in os.listdir("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        pass
with open(sys.argv[1], "w") as file:
    environment = dict(line.split("=", 1) for line in open("/proc/self/environ").read().split("\\0") if line)
    json.dump({"environment": environment, "descriptors": descriptors, "cwd": os.getcwd(),
               "session": os.getsid(0) == os.getpid(), "argv": sys.argv[2:]}, file)
"""
FOREVER = """
import os, pathlib, sys, time
child = os.fork()
if child:
    pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child}")
time.sleep(600)
"""


def python(source: str, *arguments: str) -> tuple[str, ...]:
    """An argv that runs this source."""
    return (sys.executable, "-I", "-c", source, *arguments)


def gone(*pids: str) -> bool:
    """Whether none of these processes is alive; one that nobody has waited for is not."""

    def state(pid: str) -> str:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "gone"

    return all(state(pid) in {"gone", "Z"} for pid in pids)


def begun(pids: Path) -> bool:
    """Whether the program has told who it is."""
    return pids.exists() and " " in pids.read_text()


def test_it_inherits_its_environment_and_nothing_else(tmp_path: Path) -> None:
    """interface.md 7: no other variable, no open file, no directory; arguments go as they are, without a shell."""
    dump = tmp_path / "dump"
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - the system's own signature
        Program(python(DUMP, str(dump), "$TOKEN_NAME; ls *")).run({"PATH": "/bin", "TOKEN_NAME": "deploy"})
    seen = json.loads(dump.read_text())
    assert {"PATH": "/bin", "TOKEN_NAME": "deploy"} == seen["environment"]
    assert ["$TOKEN_NAME; ls *"] == seen["argv"]
    assert ("/", True) == (seen["cwd"], seen["session"])
    descriptors = seen["descriptors"]
    assert ["/dev/null"] * 3 == [descriptors.pop(str(number)) for number in range(3)]
    assert not any(str(tmp_path) in path for path in descriptors.values() if path != str(dump))
    assert len(descriptors) <= 1  # the directory that it lists


def test_status_and_signal_are_told() -> None:
    """And nothing of what was printed."""
    with pytest.raises(HookError) as failure:
        Program(python("import sys; print('S3CR3T-1'); sys.exit(3)")).run({})
    assert f"{sys.executable} ended with status 3: look at what it logs" == failure.value.message
    with pytest.raises(HookError, match="was ended by SIGTERM: look"):
        Program(python("import os; os.kill(os.getpid(), 15)")).run({})


@pytest.mark.parametrize(("name", "words"), [("missing", "No such file"), ("plain", "Permission denied")])
def test_what_cannot_be_run_is_told(tmp_path: Path, name: str, words: str) -> None:
    """With the fix."""
    (tmp_path / "plain").write_text("")
    with pytest.raises(HookError, match=f"{name} cannot be run: {words}.*: install it, make it executable"):
        Program((str(tmp_path / name),)).run({})


def test_at_its_limit_the_whole_group_ends(tmp_path: Path) -> None:
    """The program and its child; the next run is possible at once."""
    pids = tmp_path / "pids"
    program = Program(python(FOREVER, str(pids)), limit_seconds=1.0)
    while not begun(pids):  # a busy machine may need longer for the start alone
        with pytest.raises(HookError, match="had not ended after 1 s and was killed"):
            program.run({})
    assert eventually(lambda: gone(*pids.read_text().split()), what="both are gone")
    with pytest.raises(HookError, match="had not ended after 1 s and was killed"):
        program.run({})


def test_stop_ends_the_whole_group_and_lets_nothing_begin(tmp_path: Path) -> None:
    """F-49: at once, from another thread, whatever the program does."""
    pids = tmp_path / "pids"
    program = Program(python(FOREVER, str(pids)))
    failures: list[HookError] = []

    def run() -> None:
        with pytest.raises(HookError) as failure:
            program.run({})
        failures.append(failure.value)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: begun(pids), what="the program runs")
    began = time.monotonic()
    program.stop()
    thread.join(60)
    assert 10 > time.monotonic() - began
    assert "was ended by SIGKILL" in failures[0].message
    assert eventually(lambda: gone(*pids.read_text().split()), what="both are gone")
    with pytest.raises(HookError, match="is not run any more: the broker stops"):
        program.run({})
    program.stop()
