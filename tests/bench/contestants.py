"""The servers that are compared, and the load on them.

Owns: starting ours, nginx and the C baseline on sockets in one directory; one run of the load generator, with the CPU
time that the server used meanwhile. Refuses to know: what is compared with what.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.socket_server import TOKEN_NAME
from tests.servers.nginx import BODY_BYTES, find_nginx, running_nginx
from tests.servers.process import Child
from tests.waiting import eventually

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server on a socket, and the process that does its work."""

    name: str
    path: Path
    pid: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the load generator found; `cpu_us` is the server's CPU time for each request."""

    per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float


@contextmanager
def running_ours(directory: Path, *, renewing: int = 0) -> Iterator[Contestant]:
    """Our server; `renewing` tokens are minted every second."""
    path = directory / f"ours-{renewing}.sock"
    argv: list[str | Path] = [sys.executable, "-m", "tests.bench.socket_server", path, str(renewing)]
    with _running(argv, path) as child:
        yield Contestant("ours", path, child.pid)


@contextmanager
def running_epoll(directory: Path) -> Iterator[Contestant]:
    """The C server that does no work at all."""
    path = directory / "epoll.sock"
    with _running([built("epoll", directory), path, str(BODY_BYTES)], path) as child:
        yield Contestant("C", path, child.pid)


@contextmanager
def running_nginx_if_installed(directory: Path) -> Iterator[Contestant | None]:
    """`return 200`; None where there is no nginx."""
    program = find_nginx()
    if program is None:
        yield None
        return
    with running_nginx(program, directory) as path:
        master = (directory / "nginx.pid").read_text().strip()
        children = Path(f"/proc/{master}/task/{master}/children")
        (worker,) = eventually(lambda: children.read_text().split(), what="nginx has its worker")
        yield Contestant("nginx", path, int(worker))


def built(name: str, directory: Path) -> Path:
    """A program of this directory, compiled."""
    program = directory / name
    subprocess.run(["gcc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


def run_load(
    load: Path, server: Contestant, connections: int, seconds: float, flags: Sequence[str] = ()
) -> Run:
    """One run. What the load generator was started from decides on which cores it runs."""
    target = f"/v1/tokens/{TOKEN_NAME}"
    argv: list[str | Path] = [load, server.path, str(connections), str(seconds), target, *flags]
    before = cpu_ns(server.pid)
    found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    used = cpu_ns(server.pid) - before
    return Run(found["per_second"], found["p50_us"], found["p99_us"], used / 1000 / found["requests"])


@contextmanager
def on_one_core(pid: int) -> Iterator[None]:
    """The server, and what this process starts in the block, share one core."""
    ours, theirs = os.sched_getaffinity(0), os.sched_getaffinity(pid)
    core = {max(ours)}
    os.sched_setaffinity(0, core)
    os.sched_setaffinity(pid, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)
        os.sched_setaffinity(pid, theirs)


def cpu_ns(pid: int) -> int:
    """CPU time of a process up to now, to the nanosecond (proc(5), schedstat)."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))


@contextmanager
def _running(argv: Sequence[str | Path], path: Path) -> Iterator[Child]:
    child = Child(argv, env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)}, log=path.with_suffix(".log"))
    child.wait_until(path.is_socket, timeout=START_SECONDS, what=f"{path.name} is there")
    try:
        yield child
    finally:
        child.stop()
