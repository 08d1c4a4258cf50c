"""What tests download or build once and keep: a directory per recipe, shared by processes and runs.

Owns the cache directory, the lock around a build and the rule about missing tools: a test that cannot have
what it needs skips with the command that installs it, and fails where CI is set, where every check must have
run. What the kernel does not grant even to root cannot be installed: such a test skips everywhere. Knows no
server and no download; the caller's ``build`` does the work.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")


def in_ci() -> bool:
    """Whether a missing tool is a failure: CI is set, and not to 0 or false."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def missing(what: str, how_to_install: str) -> NoReturn:
    """End the test, naming what is missing and the command that brings it: skipped, in CI failed."""
    reason = f"{what} is missing; install it: {how_to_install}"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def forbidden(what: str) -> NoReturn:
    """End the test: this machine, a container perhaps, does not let us do this, and nothing can be installed for it."""
    if os.geteuid():
        missing(what, "run as root")
    pytest.skip(f"{what} is not allowed here, even as root")


def require(tool: str, how_to_install: str) -> Path:
    """Answer the path of an executable on PATH, or end the test as ``missing`` does."""
    found = shutil.which(tool)
    if found is None:
        missing(tool, how_to_install)
    return Path(found)


def require_namespaces(*options: str, trial: Sequence[str] = ("true",)) -> Path:
    """Answer the path of unshare, or end the test where such namespaces, with `trial` in them, are not to be had."""
    unshare = require("unshare", "apt-get install util-linux")
    tried = subprocess.run([unshare, *options, *trial], capture_output=True, text=True, check=False)
    if tried.returncode:
        forbidden(f"unshare {' '.join(options)} ({tried.stderr.strip()})")
    return unshare


def cache_root() -> Path:
    """``${XDG_CACHE_HOME:-~/.cache}/token-broker-tests``, created private to this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base) / "token-broker-tests"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def cached(name: str, recipe: str, build: Callable[[Path], None]) -> Path:
    """Answer the directory that ``build`` fills, building it the first time.

    ``recipe`` is everything the content depends on (versions, integrity hashes, options): another recipe is
    another directory. ``build`` gets an empty directory that takes its final name only when it returned, so
    nobody ever sees half of one. A second process that wants the same waits for the first.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a cache name: {name!r}")
    root = cache_root()
    target = root / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    if target.is_dir():
        return target
    with _locked(root / f"{target.name}.lock"):
        if target.is_dir():
            return target
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=root))
        try:
            build(unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
