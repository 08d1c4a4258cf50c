"""What a token file contains, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from broker.sinks.file import FileSinkOptions, plugin
from tests.sinks.publishing import publication, sink_for


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({}, b"S3CR3T-1--end"),
        ({"format": "raw-newline"}, b"S3CR3T-1--end\n"),
        ({"format": "header"}, b"Authorization: Bearer S3CR3T-1--end\n"),
        ({"format": "env"}, b"ACCESS_TOKEN=S3CR3T-1--end\n"),
        ({"format": "env", "variable": "API_TOKEN"}, b"API_TOKEN=S3CR3T-1--end\n"),
    ],
)
def test_each_format_has_exactly_these_bytes(tmp_path: Path, options: dict[str, Any], content: bytes) -> None:
    """R-120: the bare token by default, without a newline; the others as the interface lists them."""
    sink_for(tmp_path / "token", **options).publish(publication(1))
    assert content == (tmp_path / "token").read_bytes()


def test_json_is_the_answer_of_the_socket_without_what_changes_with_time(tmp_path: Path) -> None:
    """One line: integers rounded down, the scope as one string, no expires_in and no state."""
    sink_for(tmp_path / "token", format="json").publish(publication(7, scope=("read", "write")))
    content = (tmp_path / "token").read_bytes()
    assert b"\n" == content[-1:]
    assert {
        "name": "deploy",
        "access_token": "S3CR3T-7--end",
        "token_type": "Bearer",
        "expires_at": 1_700_000_295,
        "issued_at": 1_700_000_000,
        "scope": "read write",
        "revision": 7,
        "fingerprint": hashlib.sha256(b"S3CR3T-7--end").hexdigest()[:16],
    } == json.loads(content)
    assert 1 == content.count(b"\n")


def test_an_unknown_scope_is_null(tmp_path: Path) -> None:
    """The member is there in any case, so that a reader needs no second look."""
    sink_for(tmp_path / "token", format="json").publish(publication(1, scope=None))
    document = json.loads((tmp_path / "token").read_bytes())
    assert document["scope"] is None


@pytest.mark.parametrize("path", ["/run/tokens/", "/", "/run/tokens/.."])
def test_a_path_without_a_file_name_is_a_fault(path: str) -> None:
    """The configuration is refused before anything is written."""
    (fault,) = plugin.check(FileSinkOptions(path=path))
    assert ("path", "names a directory; name a file in it") == (fault.path, fault.message)


def test_a_variable_without_format_env_is_a_fault() -> None:
    """A key without effect is a misunderstanding."""
    (fault,) = plugin.check(FileSinkOptions(path="/run/t", variable="API_TOKEN"))
    assert "variable" == fault.path


def test_sensible_options_have_no_fault() -> None:
    """The descriptor names the file as its target."""
    options = FileSinkOptions(path="/run/t", format="env", variable="API_TOKEN")
    assert () == plugin.check(options)
    assert "/run/t" == plugin.target(options)
