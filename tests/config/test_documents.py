"""Files: syntax by suffix, limits, and syntax errors by position only."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config import documents
from broker.config.documents import DocumentFault


def fault_in(path: Path) -> str:
    """The one line about this file, without its directory."""
    with pytest.raises(DocumentFault) as caught:
        documents.read(path)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(("name", "text"), [("a.toml", "a = 1"), ("a.yaml", "a: 1"), ("a.yml", '{"a": 1}')])
def test_the_suffix_chooses_the_syntax(tmp_path: Path, name: str, text: str) -> None:
    """TOML for hosts, YAML for Kubernetes, JSON as the subset of YAML that it is."""
    (tmp_path / name).write_text(text)
    assert {"a": 1} == documents.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.json", "a.conf", "a", "a.TOML"])
def test_another_suffix_is_a_fault_that_names_the_file(tmp_path: Path, name: str) -> None:
    """Nothing is guessed from the content."""
    (tmp_path / name).write_text("a = 1")
    assert f"{name}: unknown suffix; a configuration file ends in .toml, .yaml or .yml" == fault_in(
        tmp_path / name
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    assert "a.toml: no such file; name an existing one with --config" == fault_in(tmp_path / "a.toml")


def test_a_directory_is_named(tmp_path: Path) -> None:
    """It cannot be read as a file."""
    (tmp_path / "a.toml").mkdir()
    assert "a.toml: cannot be read (Is a directory)" in fault_in(tmp_path / "a.toml")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """The system's reason is told; a loop of links is one that binds root too."""
    (tmp_path / "a.toml").symlink_to("a.toml")
    assert "a.toml: cannot be read (Too many levels of symbolic links)" in fault_in(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.toml", "a = 1\nb = 'S3CR3T-1\n", "a.toml:2: not valid TOML: a string is not closed"),
        ("a.toml", "a = 1\nb = S3CR3T-1\n", "a.toml:2:5: not valid TOML: no value here; text goes in quotes"),
        ("a.toml", "a = 'x' S3CR3T-1\n", "a.toml:1:9: not valid TOML: something follows a complete value"),
        ("a.toml", "a = 1\na = 2\nb = 1\n", "a.toml:2:6: not valid TOML: a key is given twice"),
        ("a.toml", "[a]\n[b]\n[a]\n", "a.toml:3:3: not valid TOML: a table is given twice"),
        ("a.toml", "S3CR3T-1\n", "a.toml:1"),
        ("a.toml", f"a = {'9' * 5000}", "a.toml: not valid TOML: a number has too many digits"),
        ("a.toml", f"a = {'[' * 100_000}", "a.toml: not valid TOML: nested too deeply"),
        ("a.toml", f"{'a.' * 2000}a = 1", "a.toml: not valid TOML: nested too deeply"),
        ("a.yaml", "a: 'S3CR3T-1\n", "a.yaml:2:1: not valid YAML"),
        ("a.yaml", "a:\n\tS3CR3T-1: 1\n", "a.yaml:2:1: not valid YAML"),
        ("a.yaml", "a: 1\nS3CR3T-1\nb: 2\n", "a.yaml:"),
        ("a.yaml", "a: S3CR3T-1\x00\n", "a.yaml:"),
    ],
)
def test_a_syntax_error_has_its_place_and_none_of_the_text(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    """Parsers quote what they stumble over; that line may hold what should not be there."""
    (tmp_path / name).write_text(text)
    message = fault_in(tmp_path / name)
    assert message.startswith(expected)
    assert "S3CR3T" not in message


@pytest.mark.parametrize("name", ["a.toml", "a.yaml"])
def test_a_file_that_is_not_text_is_a_fault_with_its_line(tmp_path: Path, name: str) -> None:
    """Latin-1 is not guessed."""
    (tmp_path / name).write_bytes(b"# one\n# gr\xfcn\n")
    assert f"{name}:2: is not UTF-8 text" == fault_in(tmp_path / name)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Editors on Windows put one in front."""
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1")
    assert {"a": 1} == documents.read(tmp_path / "a.toml")


def test_a_file_may_have_one_mebibyte(tmp_path: Path) -> None:
    """And not a byte more."""
    (tmp_path / "a.toml").write_bytes(b"#" * (1 << 20))
    assert {} == documents.read(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_bytes(b"#" * (1 << 20) + b"#")
    assert "a.toml: is larger than 1 MiB; split it with include" == fault_in(tmp_path / "a.toml")


def test_dates_are_text_in_both_spellings(tmp_path: Path) -> None:
    """So that `client_secret_expires` needs no quotes."""
    (tmp_path / "a.toml").write_text("a = 2030-01-02\nb = 2030-01-02T03:04:05Z\n")
    (tmp_path / "a.yaml").write_text("a: 2030-01-02\nb: 2030-01-02T03:04:05+00:00\n")
    expected = {"a": "2030-01-02", "b": "2030-01-02T03:04:05+00:00"}
    assert expected == documents.read(tmp_path / "a.toml") == documents.read(tmp_path / "a.yaml")
