"""The suite's own helpers: the polling loop and the cache of what is built once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import looptime
import pytest

from tests.cache import cache_root, cached, forbidden, require
from tests.waiting import eventually, eventually_async


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "token-broker-tests"


def test_eventually_answers_the_first_true_value() -> None:
    """The predicate is asked until it answers something true, and that is what the caller gets."""
    answers: Iterator[str] = iter(["", "", "third", "fourth"])
    assert "third" == eventually(lambda: next(answers), what="a third answer")


def test_eventually_names_what_it_waited_for() -> None:
    """A deadline that passes fails the test with the condition and the last answer."""
    with pytest.raises(AssertionError, match=r"not within 0.01 s: the moon \(last: ''\)"):
        eventually(lambda: "", timeout=0.01, what="the moon")


def test_eventually_waits_out_named_errors_only() -> None:
    """An error that means "not yet" is named by the caller; any other is a fault."""
    with pytest.raises(AssertionError, match="FileNotFoundError"):
        eventually(Path("absent").read_text, timeout=0.01, what="a file", retry_on=(FileNotFoundError,))
    with pytest.raises(FileNotFoundError):
        eventually(Path("absent").read_text, timeout=0.01, what="a file")


def test_async_twin_waits_on_virtual_time() -> None:
    """Under looptime an hour's deadline passes at once, and a coroutine is as good as a function."""

    async def minute_passed() -> bool:
        return asyncio.get_running_loop().time() >= 60

    async def body() -> float:
        await eventually_async(minute_passed, timeout=3600, what="a minute to pass")
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0, _enabled=True)) as runner:
        assert 60 <= runner.run(body()) < 61


def test_cache_builds_a_recipe_once(private_cache: Path) -> None:
    """The same recipe is the same directory, built the first time; another recipe is another one."""
    built: list[Path] = []

    def build(directory: Path) -> None:
        built.append(directory)
        (directory / "content").write_text("made")

    first = cached("thing", "1.0", build)
    assert first == cached("thing", "1.0", build)
    assert first != cached("thing", "1.1", build)
    assert 2 == len(built)
    assert "made" == (first / "content").read_text()
    assert private_cache == first.parent == cache_root()


def test_cache_keeps_no_half_built_directory(private_cache: Path) -> None:
    """A build that fails leaves nothing under the final name, nor its leftovers, and is tried again."""

    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        cached("thing", "1.0", fail)
    assert [] == [path for path in private_cache.iterdir() if path.is_dir()]
    assert (cached("thing", "1.0", lambda directory: (directory / "whole").touch()) / "whole").exists()


def test_what_the_kernel_does_not_grant_skips_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be installed for it; but who is not root may become so, and in CI must."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(pytest.skip.Exception, match="a moon of our own is not allowed here, even as root"):
        forbidden("a moon of our own")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(pytest.fail.Exception, match="a moon of our own is missing; install it: run as root"):
        forbidden("a moon of our own")


def test_missing_tool_skips_outside_ci_and_fails_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that silently did not run proves nothing, so where CI is set it fails."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-tool is missing; install it: make one"):
        require("no-such-tool", "make one")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-tool is missing; install it: make one"):
        require("no-such-tool", "make one")
