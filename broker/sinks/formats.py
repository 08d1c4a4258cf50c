"""What a token file contains, byte for byte (docs/interface.md 7, "Bytes").

Owns: the formats, the keys that go with each, and what of them is a mistake. Refuses to know: files, modes,
who reads them. No format quotes or escapes the token: a minted one is a b64token (RFC 6750 2.1), which none of
them needs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Template
from typing import Annotated, Final, Literal, assert_never

import msgspec

from broker import token_json
from broker.api import Fault, Publication

Format = Literal["raw", "raw-newline", "json", "header", "env", "curl", "netrc", "template"]

DEFAULT_VARIABLE: Final = "ACCESS_TOKEN"
DEFAULT_LOGIN: Final = "token"

_ONLY_WITH: Final[tuple[tuple[str, Format, str | None], ...]] = (
    ("variable", "env", DEFAULT_VARIABLE),
    ("machine", "netrc", None),
    ("login", "netrc", DEFAULT_LOGIN),
    ("template", "template", None),
)


class ContentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of `[[tokens.NAME.files]]` that say what is in the file."""

    format: Format = "raw"
    """`docs/interface.md` has the exact bytes of each. raw: the token and nothing else, not even a newline."""
    variable: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] = DEFAULT_VARIABLE
    """The name that format env assigns."""
    machine: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]+$")] | None = None
    """Format netrc: the host that gets the token, without a port."""
    login: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._@+=:/-]+$")] = DEFAULT_LOGIN
    """Format netrc: the user name that goes with the token; many APIs take any."""
    template: str | None = None
    """Format template: text in which `$access_token`, `$expires_at` and so on stand for the members of format
    json, and `$$` for a dollar sign (Python's `string.Template`). A scope that is not known is empty."""


def render(publication: Publication, options: ContentOptions) -> bytes:
    """The whole content of the file; the options have no fault."""
    token = publication.revision.token.value.reveal_bytes()
    match options.format:
        case "raw":
            return token
        case "raw-newline":
            return token + b"\n"
        case "json":
            document = token_json.members(publication.token_name, publication.revision)
            return token_json.encode(document) + b"\n"
        case "header":
            return b"Authorization: Bearer " + token + b"\n"
        case "env":
            return options.variable.encode("ascii") + b"=" + token + b"\n"
        case "curl":
            return b'header = "Authorization: Bearer ' + token + b'"\n'
        case "netrc":
            return b"machine %b login %b password %b\n" % (
                (options.machine or "").encode("ascii"),
                options.login.encode("ascii"),
                token,
            )
        case "template":
            document = token_json.members(publication.token_name, publication.revision)
            words = {name: "" if value is None else str(value) for name, value in document.items()}
            return Template(options.template or "").substitute(words).encode()
        case _:
            assert_never(options.format)


def faults(options: ContentOptions) -> Iterator[Fault]:
    """What types cannot say of these keys."""
    for key, format_, default in _ONLY_WITH:
        if getattr(options, key) != default and options.format != format_:
            yield Fault(key, f'has a meaning only with format = "{format_}"')
    if options.format == "netrc" and options.machine is None:
        yield Fault("machine", 'required with format = "netrc": the host that gets the token')
    if options.format == "template":
        fault = _template_fault(options.template)
        if fault is not None:
            yield Fault("template", fault)


def _template_fault(template: str | None) -> str | None:
    """Names places rather than words: a message holds no value of the configuration."""
    if not template:
        return 'required with format = "template", such as "Bearer $access_token"'
    for found in Template.pattern.finditer(template):
        place = f"character {found.start() + 1}"
        if found["invalid"] is not None:
            return f"the $ at {place} begins no placeholder; write $$ for a dollar sign"
        name = found["named"] or found["braced"]
        if name is not None and name not in token_json.MEMBERS:
            return f"the placeholder at {place} is no member; there are {', '.join(token_json.MEMBERS)}"
    return None
