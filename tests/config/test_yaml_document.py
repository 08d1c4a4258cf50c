"""YAML without its surprises."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from broker.config import yaml_document
from broker.config.tree import Ambiguous
from broker.config.yaml_document import YamlFault
from tests.config.surroundings import faults_of

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in ("ab", "bc", "cd", "de", "ef")
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("90s", "90s"),
        ("'0640'", "0640"),
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        ("2030-01-02", "2030-01-02"),
        ("e5", "e5"),
        ("none", "none"),
        ("[a, 1]", ["a", 1]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("|\n  text\n", "text\n"),
    ],
)
def test_a_value_is_what_json_would_make_of_it(text: str, value: object) -> None:
    """And text otherwise."""
    assert {"key": value} == yaml_document.parse(f"key: {text}")


@pytest.mark.parametrize(
    "text",
    [
        "0640",
        "+1",
        "1_000",
        "0x1F",
        "0o17",
        "0b1",
        "12:30",
        "12:30:45",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        ".inf",
        "-.INF",
        ".nan",
        ".5",
        "5.",
        "1" * 65,
    ],
)
def test_what_versions_of_yaml_read_differently_is_neither(text: str) -> None:
    """0640 is 416 in YAML 1.1 and 640 in 1.2: nobody meant both."""
    assert isinstance(yaml_document.parse(f"key: {text}")["key"], Ambiguous)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("files: [{path: a, mode: 0640}]", "tokens.deploy.files[0].mode"),
        ("files: [{path: a, mode: 416}]", "tokens.deploy.files[0].mode"),
        ("required: yes", "tokens.deploy.required"),
        ("audience: no", "tokens.deploy.audience"),
        ("audience: 12:30", "tokens.deploy.audience"),
    ],
)
def test_an_ambiguous_value_is_refused_with_the_advice_to_quote(tmp_path: Path, line: str, path: str) -> None:
    """An unquoted mode is the classic."""
    text = (
        "secret_backends: {local: {type: file, directory: /etc}}\n"
        "authorization_servers: {idp: {issuer: 'https://idp.example'}}\n"
        "tokens:\n  deploy:\n    authorization_server: idp\n    client_id: deploy\n"
        f"    client_secret: {{backend: local, path: deploy}}\n    {line}\n"
    )
    faults = faults_of(tmp_path, text, name="config.yaml")
    assert [path] == list(faults)
    assert "in quotes" in faults[path]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "given before"),
        ("a:\n  b: 1\n  b: 2\n", 3, 3, "given before"),
        ("a: {'b': 1, b: 2}", 1, 13, "given before"),
        ("1: x", 1, 1, "a key must be text; put it in quotes"),
        ("on: x", 1, 1, "a key must be text; put it in quotes"),
        ("? [a]\n: x", 1, 3, "a key must be text"),
        ("a: !!python/object/apply:os.system [x]", 1, 4, "tags"),
        ("a: !!str 5", 1, 4, "tags"),
        ("a: ! x", 1, 4, "tags"),
        ("!!str a: 5", 1, 1, "tags"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys"),
        ("a: *x", 1, 4, "an alias"),
        ("a: &x [*x]", 1, 8, "an alias"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("[a, b]", 1, 1, "must be a table"),
        ("text", 1, 1, "must be a table"),
        (f"a: {'[' * 40}{']' * 40}", 1, 36, "nested deeper than 32"),
        (f"a: {'[' * 100_000}", 1, 36, "nested deeper than 32"),
    ],
)
def test_what_a_configuration_does_not_need_is_refused_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    """Duplicates, tags, merges, odd keys, more documents, depth."""
    with pytest.raises(YamlFault, match=message.replace("(", r"\(")) as caught:
        yaml_document.parse(text)
    assert (line, column) == (caught.value.line, caught.value.column)


def test_an_alias_repeats_a_table() -> None:
    """Anchors are how YAML avoids repetition."""
    assert {"a": {"b": 1}, "c": {"b": 1}} == yaml_document.parse("a: &x {b: 1}\nc: *x\n")


def test_aliases_do_not_multiply_without_bound() -> None:
    """A million values from six lines are refused before they are there."""
    with pytest.raises(YamlFault, match="more than 100000 values"):
        yaml_document.parse(BOMB)


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "--- ~\n"])
def test_an_empty_document_is_an_empty_table(text: str) -> None:
    """As an empty TOML file is."""
    assert {} == yaml_document.parse(text)


@given(st.text(alphabet="ab1:-[]{}&*!|>'\"#?%@, \n\t.~<=0e_", max_size=60))
def test_any_text_is_a_table_or_a_fault(text: str) -> None:
    """Nothing else comes out of the reader."""
    with suppress(YamlFault):
        assert isinstance(yaml_document.parse(text), dict)


@pytest.mark.parametrize("loader", [yaml.Loader, getattr(yaml, "CLoader", yaml.Loader)])
def test_both_parsers_of_the_library_tell_the_same(loader: Any) -> None:
    """The one in C where it was built in, the one in Python where not."""
    text = "a: [1, '2', &x 0640]\nb: {c: *x}\n? d\n: |\n  e\n"
    told = [
        (
            type(event),
            getattr(event, "value", None),
            getattr(event, "anchor", None),
            getattr(event, "implicit", None),
        )
        for event in yaml.parse(text, Loader=loader)
    ]
    assert (yaml.ScalarEvent, "0640", "x", (True, False)) in told
    assert (yaml.ScalarEvent, "2", None, (False, True)) in told
    assert (yaml.ScalarEvent, "e\n", None, (False, True)) in told
    assert (yaml.AliasEvent, None, "x", None) in told


TREES = st.recursive(
    # PyYAML writes "08", "1e3" and "y" without quotes; those are refused, as the tests above say.
    st.from_regex(r"[a-mo-xA-MO-X_/$%(*&äλ☃][a-z0-9äλ☃ .:#'\"{}-]*", fullmatch=True)
    | st.integers(-(10**9), 10**9)
    | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1), TREES, max_size=3))
def test_what_a_yaml_writer_writes_is_read_back(tree: dict[str, Any]) -> None:
    """Whoever renders a configuration with a library gets the values they put in."""
    assert tree == yaml_document.parse(yaml.safe_dump(tree, allow_unicode=True))
