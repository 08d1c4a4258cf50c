"""`[cache]`: one key, from one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.options import SecretRef
from tests.config.surroundings import MINIMAL, faults_of, load_text


def with_cache(lines: str) -> str:
    """A good configuration with these lines in its `[cache]` table."""
    return f"[cache]\n{lines}\n{MINIMAL}"


def test_without_the_table_there_is_no_cache(tmp_path: Path) -> None:
    """Nothing is kept unless somebody asked for it."""
    assert load_text(tmp_path, MINIMAL).cache is None


def test_a_key_file_is_a_path_like_any_other(tmp_path: Path) -> None:
    """A systemd credential, for instance."""
    cache = load_text(
        tmp_path,
        with_cache('key_file = "${CREDENTIALS_DIRECTORY}/cache-key"'),
        environment={"CREDENTIALS_DIRECTORY": "/run/credentials/token-broker.service"},
    ).cache
    assert cache is not None
    assert "/run/credentials/token-broker.service/cache-key" == cache.key_file


def test_a_key_may_lie_in_a_secret_backend(tmp_path: Path) -> None:
    """A reference as for a client secret."""
    cache = load_text(tmp_path, with_cache('key = { backend = "local", path = "k", field = "key" }')).cache
    assert cache is not None
    assert SecretRef(backend="local", path="k", field="key") == cache.key


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ("", {"cache.key_file": "required, unless there is a key: 32 random bytes as base64 text"}),
        (
            'key_file = "/k"\nkey = { backend = "local", path = "k" }',
            {"cache.key_file": "given with key, and one of them is enough; remove the other"},
        ),
        (
            'key = { backend = "locale", path = "" }',
            {
                "cache.key.backend": 'no secret backend of that name is configured; did you mean "local"?',
                "cache.key.path": "must not be empty",
            },
        ),
        ('keyfile = "/k"', {"cache.keyfile": 'unknown key; did you mean "key_file"?'}),
    ],
    ids=["neither", "both", "reference", "unknown"],
)
def test_faults_have_their_place(tmp_path: Path, lines: str, faults: dict[str, str]) -> None:
    """Exactly one of the two, and a reference that leads somewhere."""
    assert faults == faults_of(tmp_path, with_cache(lines))


def test_the_key_itself_is_refused_without_being_shown(tmp_path: Path) -> None:
    """A secret value is never accepted in the file."""
    found = faults_of(tmp_path, with_cache('key = "S3CR3T-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="'))
    assert ["cache.key"] == list(found)
    assert "S3CR3T" not in found["cache.key"]
    assert "a secret is never written into this file" in found["cache.key"]
