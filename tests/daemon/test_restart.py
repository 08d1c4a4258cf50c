"""Restarts with `[cache]`: what was minted is served again, upstreams or none, and nothing is minted for it."""

from __future__ import annotations

import base64
import json
import math
import os
import random
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.restarting import (
    KEY_FILE,
    KEY_IN_BACKEND,
    Server,
    entry_of,
    killed,
    lasting,
    minted_and_kept,
    names_in,
    prepared,
    published,
    run_for,
    served,
    tables,
    told,
    warnings_of,
    write_key,
)
from tests.daemon.running import Daemon, local_tables, run_verb, store
from tests.waiting import eventually

SERVED_WITHIN_SECONDS = 2.0
MOST_STARTS = 6
"""What is promised is how fast it can be: a start in which the machine had other things to do says nothing."""
CHECKS = 3
"""On a machine on which nothing is that fast: so many times what `check` takes; any wait for others is longer."""


@pytest.fixture
def cached(tmp_path: Path, server: Server) -> Iterator[Daemon]:
    """The daemon with its cache key in a file; not started yet."""
    write_key(tmp_path / "cache-key")
    yield from prepared(tmp_path, server, KEY_FILE)


def test_restart_during_a_total_outage_serves_the_cached_token(cached: Daemon, server: Server) -> None:
    """R-008, R-177, F-50: SIGKILL, every upstream gone, start: the same token in under 2 s, READY, file untouched."""
    before = minted_and_kept(cached)
    eventually(lambda: told(cached, "ready"), what="READY")
    killed(cached)
    server.stop()
    shutil.rmtree(cached.directory / "secrets")
    file = published(cached).stat()
    limit = max(SERVED_WITHIN_SECONDS, CHECKS * seconds_of_a_check(cached))
    starts, seconds = 1, math.inf
    while seconds >= limit and starts < MOST_STARTS:
        killed(cached)
        after, seconds = served(cached)
        assert lasting(before) == lasting(after)
        starts += 1
        eventually(lambda starts=starts: len(told(cached, "ready")) == starts, what="READY")  # type: ignore[misc]  # bound for this round
    assert seconds < limit
    assert cached.ops("/readyz")[0] == 200
    now = published(cached).stat()
    assert (file.st_ino, file.st_mtime_ns) == (now.st_ino, now.st_mtime_ns)
    assert len(cached.lines("mint_succeeded")) == 1
    assert [] == cached.lines("mint_failed")
    assert [] == warnings_of(cached)


def seconds_of_a_check(daemon: Daemon) -> float:
    """Interpreter, configuration and plug-ins, and no more: the pace of this machine now."""
    began = time.monotonic()
    run_verb("check", "--config", daemon.config)
    return time.monotonic() - began


def test_restart_with_every_upstream_at_hand_mints_nothing(cached: Daemon, server: Server) -> None:
    """The schedule is kept with its jitter, and the first look at an unrotated secret is no rotation."""
    minted_and_kept(cached)
    planned = cached.record()["next_renewal_at"]
    killed(cached)
    served(cached)
    looks = 2.0
    eventually(
        lambda: (cached.metric("secret_fetches_total", outcome="success") or 0) >= looks,
        what="the secret's version is polled",
    )
    assert abs(cached.record()["next_renewal_at"] - planned) <= 1
    assert {"state": "fresh", "condition": "ok", "revision": 1}.items() <= cached.record().items()
    assert server.ledger.count("token") == 1


def test_token_minted_right_before_a_stop_is_kept(cached: Daemon, server: Server) -> None:
    """An upgrade or a change of mind: SIGTERM in the moment of the mint."""
    cached.start()
    before = cached.wait_for(state="fresh")
    assert 0 == cached.stop()[0]
    server.stop()
    after, _ = served(cached)
    assert (before["issued_at"], before["revision"]) == (after["issued_at"], after["revision"])


def test_secret_rotated_during_the_downtime_is_noticed(cached: Daemon, server: Server) -> None:
    """R-076: the adopted token is served until the new secret bought its successor."""
    before = minted_and_kept(cached)
    killed(cached)
    store(cached.directory, server.rotate("deploy").reveal())
    server.fault("token", "500")
    after, _ = served(cached)
    assert before["access_token"] == after["access_token"]
    server.clear()
    cached.wait_for(revision=2, condition="ok")
    assert 2 == [entry.status for entry in server.ledger.entries("token")].count(200)


def test_key_in_a_secret_backend_serves_a_restart_while_it_is_up(tmp_path: Path, server: Server) -> None:
    """The mint waits until it is known that the cache holds a token."""
    write_key(tmp_path / "secrets" / "cache-key")
    for daemon in prepared(tmp_path, server, KEY_IN_BACKEND):
        before = minted_and_kept(daemon)
        killed(daemon)
        after, _ = served(daemon)
        assert lasting(before) == lasting(after)
        assert server.ledger.count("token") == 1


def test_entry_is_private_sealed_and_bound(cached: Daemon) -> None:
    """docs/interface.md 7: mode, form and header of the file; no plain text, neither of the token nor of the key."""
    answer = minted_and_kept(cached)
    content = entry_of(cached).read_text()
    assert stat.S_IMODE(entry_of(cached).stat().st_mode) == 0o600
    header, key, *others = content.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(header + "=="))
    assert {"alg": "dir", "enc": "A256GCM", "v": 1, "id": decoded["id"]} == decoded
    assert "" == key
    assert 3 == len(others)
    assert answer["access_token"] not in content
    assert ["deploy.jwe"] == names_in(entry_of(cached).parent)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "foreign-key", "link", "empty"])
def test_damaged_entry_costs_one_warning_and_one_mint(cached: Daemon, server: Server, damage: str) -> None:
    """R-009, F-51: never trusted, never fatal, named once; the next revision takes its place."""
    minted_and_kept(cached)
    killed(cached)
    entry = entry_of(cached)
    match damage:
        case "truncated":
            os.truncate(entry, entry.stat().st_size // 2)
        case "garbage":
            entry.write_bytes(random.Random(5).randbytes(4000))
        case "foreign-key":
            (cached.directory / "cache-key").write_bytes(base64.b64encode(b"x" * 32))
        case "link":
            entry.rename(entry.with_suffix(".elsewhere"))
            entry.symlink_to(entry.with_suffix(".elsewhere"))
        case _:
            entry.write_bytes(b"")
    damaged = entry.lstat()
    served(cached)
    (warning,) = eventually(lambda: warnings_of(cached), what="a warning")
    assert str(entry) in warning
    assert server.ledger.count("token") == 2
    eventually(lambda: entry.lstat().st_ino != damaged.st_ino, what="a new entry")
    killed(cached)
    served(cached)
    assert server.ledger.count("token") == 2
    assert 1 == len(warnings_of(cached))


@pytest.mark.parametrize("content", [None, "not-a-key"], ids=["missing", "malformed"])
def test_unusable_key_file_costs_the_cache_only(cached: Daemon, content: str | None) -> None:
    """One warning, a line of `check`, and tokens as ever."""
    key = cached.directory / "cache-key"
    key.unlink()
    if content is not None:
        key.write_text(content)
        key.chmod(0o600)
    cached.start()
    cached.wait_for(state="fresh", condition="ok")
    (warning,) = eventually(lambda: warnings_of(cached), what="a warning")
    assert str(key) in warning
    assert not entry_of(cached).exists()
    checked = run_verb("check", "--config", cached.config)
    assert 78 == checked.returncode
    assert "cache.key_file: " in checked.stderr
    assert "not-a-key" not in checked.stderr + warning


def test_entries_of_removed_tokens_are_removed(cached: Daemon, server: Server) -> None:
    """At a reload, and at a start for those that went meanwhile; what is not ours stays."""
    minted_and_kept(cached)
    cache = entry_of(cached).parent
    elsewhere = cached.directory / "elsewhere"
    elsewhere.touch()
    (cache / "link.jwe").symlink_to(elsewhere)
    for name in ("gone.jwe", ".deploy.jwe.0123456789abcdef", "notes.txt"):
        (cache / name).touch()
    killed(cached)
    served(cached)
    eventually(lambda: names_in(cache) == ["deploy.jwe", "link.jwe", "notes.txt"], what="orphans are gone")
    server.register("other")
    cached.write(tables(server, cached.directory, KEY_FILE).replace("tokens.deploy", "tokens.other"))
    cached.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    eventually(lambda: not (cache / "deploy.jwe").exists(), what="the removed token's entry is gone")


def test_token_of_another_identity_is_not_adopted(cached: Daemon, server: Server) -> None:
    """The configuration asks for another scope than the cached token was minted for."""
    before = minted_and_kept(cached)
    killed(cached)
    changed = local_tables(server, cached.directory, token='scope = ["a"]', files='format = "json"')
    cached.write(KEY_FILE.format(directory=cached.directory) + changed)
    after, _ = served(cached)
    assert before["access_token"] != after["access_token"]
    (warning,) = eventually(lambda: warnings_of(cached), what="a warning")
    assert "another managed token" in warning


def test_reload_to_another_identity_never_keeps_the_old_token_under_it(
    cached: Daemon, server: Server
) -> None:
    """It is served until its successor exists; a crash before that must not make it the new one's."""
    before = minted_and_kept(cached)
    server.fault("token", "500")
    changed = local_tables(server, cached.directory, token='scope = ["a"]', files='format = "json"')
    cached.write(KEY_FILE.format(directory=cached.directory) + changed)
    cached.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    cached.wait_for(state="stale", condition="unreachable")
    assert before["access_token"] == cached.ask("/v1/tokens/deploy")[1]["access_token"]
    killed(cached)
    server.clear()
    after, _ = served(cached)
    assert before["access_token"] != after["access_token"]


def test_reload_to_another_identity_takes_a_successor_that_ends_sooner(
    cached: Daemon, server: Server
) -> None:
    """R-073: the old token lives twelve hours, has other rights, and is no reason to refuse the new one."""
    minted_and_kept(cached)
    server.set_lifetime("deploy", 600)
    changed = local_tables(server, cached.directory, token='scope = ["a"]', files='format = "json"')
    cached.write(KEY_FILE.format(directory=cached.directory) + changed)
    cached.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]  # it was started above
    cached.wait_for(revision=2)
    answer = cached.ask("/v1/tokens/deploy")[1]
    assert "a" == answer["scope"]
    assert answer["expires_in"] <= 600


def test_without_the_table_nothing_is_kept(daemon: Daemon) -> None:
    """Who does not ask for a cache has no encrypted copies to look after."""
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    eventually(lambda: told(daemon, "ready"), what="READY")
    daemon.stop()
    assert ["lock"] == names_in(daemon.directory / "state")


def test_killed_at_random_moments_it_always_comes_back(cached: Daemon, server: Server) -> None:
    """R-177: whatever a SIGKILL interrupts, no entry is ever torn, and at most one mint was lost with it."""
    moments = random.Random(177)
    for _ in range(6):
        run_for(cached, moments.uniform(0.3, 1.0))
    minted_and_kept(cached)
    mints = server.ledger.count("token")
    killed(cached)
    served(cached)
    assert mints == server.ledger.count("token")
    assert [] == warnings_of(cached)
