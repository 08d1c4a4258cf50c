"""What a token file contains, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.plugins import Plugins
from broker.sinks.file import FileSinkOptions, plugin
from broker.sinks.formats import Format, render
from broker.token_json import MEMBERS, members
from tests.config.surroundings import MINIMAL, faults_of
from tests.sinks.publishing import publication, sink_for

TEMPLATES = (
    st.lists(
        st.sampled_from(
            [
                "$",
                "$$",
                "{",
                "}",
                "${",
                *(f"${{{name}}}" for name in MEMBERS),
                *(f"${name}" for name in MEMBERS),
            ]
        )
    )
    .map("".join)
    .filter(bool)
)
GOLDEN = Path(__file__).parent / "golden"
GIVEN_WITH: dict[str, dict[str, Any]] = {
    "netrc": {"machine": "api.example"},
    "template": {
        "template": "${name}: $token_type $access_token; [$scope] $issued_at to $expires_at, $$$revision, $fingerprint"
    },
}


@pytest.mark.parametrize("format_", get_args(Format))
def test_each_format_has_exactly_the_bytes_of_its_golden_file(tmp_path: Path, format_: str) -> None:
    """R-120, interface.md 7: with the keys that it needs and no others."""
    options = GIVEN_WITH.get(format_, {})
    sink_for(tmp_path / "token", format=format_, **options).publish(publication(7, scope=("read", "write")))
    assert (GOLDEN / format_).read_bytes() == (tmp_path / "token").read_bytes()


def test_no_format_is_the_bare_token(tmp_path: Path) -> None:
    """R-120: without a newline, as most readers want it."""
    sink_for(tmp_path / "token").publish(publication(7))
    assert (GOLDEN / "raw").read_bytes() == (tmp_path / "token").read_bytes()


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({"format": "env", "variable": "API_TOKEN"}, b"API_TOKEN=S3CR3T-1--end\n"),
        (
            {"format": "netrc", "machine": "api.example", "login": "x-oauth2@corp"},
            b"machine api.example login x-oauth2@corp password S3CR3T-1--end\n",
        ),
        ({"format": "template", "template": "[$scope]\n"}, b"[]\n"),
        ({"format": "template", "template": "\u20ac$revision"}, "\u20ac1".encode()),
    ],
)
def test_a_format_with_its_other_keys(tmp_path: Path, options: dict[str, Any], content: bytes) -> None:
    """An unknown scope is empty in a template; its text is UTF-8."""
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


@pytest.mark.parametrize(
    ("key", "value", "format_"),
    [
        ("variable", "API_TOKEN", "env"),
        ("machine", "api.example", "netrc"),
        ("login", "oauth2", "netrc"),
        ("template", "$access_token", "template"),
    ],
)
def test_a_key_of_another_format_is_a_fault(key: str, value: str, format_: str) -> None:
    """A key without effect is a misunderstanding."""
    (fault,) = plugin.check(
        msgspec.convert({"path": "/run/t", "format": "header", key: value}, FileSinkOptions)
    )
    assert (key, f'has a meaning only with format = "{format_}"') == (fault.path, fault.message)


def test_netrc_needs_a_machine() -> None:
    """Without one, every host would be sent the token."""
    (fault,) = plugin.check(FileSinkOptions(path="/run/t", format="netrc"))
    assert ("machine", 'required with format = "netrc": the host that gets the token') == (
        fault.path,
        fault.message,
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, 'required with format = "template", such as "Bearer $access_token"'),
        ("", 'required with format = "template", such as "Bearer $access_token"'),
        ("costs 3$", "the $ at character 8 begins no placeholder; write $$ for a dollar sign"),
        ("${access_token", "the $ at character 1 begins no placeholder; write $$ for a dollar sign"),
        ("a $S3CR3T", f"the placeholder at character 3 is no member; there are {', '.join(MEMBERS)}"),
        ("${access-token}", "the $ at character 1 begins no placeholder; write $$ for a dollar sign"),
        ("$expires_in", f"the placeholder at character 1 is no member; there are {', '.join(MEMBERS)}"),
    ],
)
def test_a_template_is_judged_when_it_is_loaded(template: str | None, message: str) -> None:
    """Not at the first publication; and the message repeats nothing of it."""
    (fault,) = plugin.check(FileSinkOptions(path="/run/t", format="template", template=template))
    assert ("template", message) == (fault.path, fault.message)


@given(st.text(st.sampled_from("$${}ab_ \n") | st.characters(codec="utf-8"), min_size=1) | TEMPLATES)
def test_a_template_without_a_fault_can_be_rendered_and_no_other(template: str) -> None:
    """What is accepted at load never fails at a publication, whatever the text."""
    options = FileSinkOptions(path="/run/t", format="template", template=template)
    published = publication(1)
    words = {key: str(value) for key, value in members(published.token_name, published.revision).items()}
    try:
        rendered = Template(template).substitute({**words, "scope": ""}).encode()
    except (KeyError, ValueError):
        assert ["template"] == [fault.path for fault in plugin.check(options)]
    else:
        assert () == plugin.check(options)
        assert rendered == render(published, options)


def test_the_names_of_the_members_are_those_of_the_json() -> None:
    """What a template may name is what format json has."""
    published = publication(1)
    assert list(MEMBERS) == list(members(published.token_name, published.revision))


@pytest.mark.parametrize("machine", ["api.example:443", "https://api.example", "a b", "", "x\n", "x\ty"])
def test_a_machine_is_a_host_name(tmp_path: Path, machine: str) -> None:
    """Anything else would match no host, or put further words into the file."""
    files = f'[[tokens.deploy.files]]\npath = "x"\nformat = "netrc"\nmachine = {json.dumps(machine)}\n'
    faults = faults_of(tmp_path, MINIMAL + files, vocabulary=PluginVocabulary(Plugins()))
    assert ["tokens.deploy.files[0].machine"] == list(faults)


def test_sensible_options_have_no_fault() -> None:
    """The descriptor names the file as its target."""
    options = FileSinkOptions(path="/run/t", format="env", variable="API_TOKEN")
    assert () == plugin.check(options)
    assert "/run/t" == plugin.target(options)
