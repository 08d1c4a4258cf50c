"""The types that settings are made of, shared by the configuration schema and by plug-ins' option structs.

Owns: the vocabulary of configuration values (durations, paths, modes, references to secrets). Refuses to know: how a
file is read or a fault is reported; `broker.config` converts and checks by the `kind` that a type carries.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Duration = Annotated[
    float,
    msgspec.Meta(
        extra={"kind": "duration"},
        description='A duration: "500ms", "90s", "15m", "12h", "30d", or a number of seconds.',
        extra_json_schema={
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"},
                {"type": "number", "minimum": 0},
            ]
        },
    ),
]
"""Seconds. In the file: `N(ms|s|m|h|d)` or a number of seconds."""

FilePath = Annotated[
    str,
    msgspec.Meta(
        extra={"kind": "path"},
        description="A path; relative ones start at broker.runtime_dir. ${CREDENTIALS_DIRECTORY}, "
        "${RUNTIME_DIRECTORY} and ${STATE_DIRECTORY} expand.",
    ),
]
"""An absolute path once decoded."""

InputFile = Annotated[
    str,
    msgspec.Meta(
        extra={"kind": "path", "reads": "file"},
        description="A file that the broker reads; relative ones start at broker.runtime_dir.",
    ),
]
"""An absolute path once decoded; `check` says when it cannot be read."""

InputDirectory = Annotated[
    str,
    msgspec.Meta(
        extra={"kind": "path", "reads": "directory"},
        description="A directory that the broker reads; relative ones start at broker.runtime_dir.",
    ),
]
"""An absolute path once decoded; `check` says when it cannot be read."""

FileMode = Annotated[
    int,
    msgspec.Meta(
        extra={"kind": "mode"},
        description='File permissions as an octal string: "0640".',
        extra_json_schema={"type": "string", "pattern": "^0?[0-7]{3}$"},
    ),
]
"""Permission bits. In the file: an octal string only."""

GroupName = Annotated[
    str, msgspec.Meta(extra={"kind": "group"}, description="The name of a group of this system.")
]
"""The name of an existing group."""

HttpUrl = Annotated[
    str,
    msgspec.Meta(
        extra={"kind": "url"},
        description="An https URL; plain http only to a loopback address and with allow_insecure_loopback.",
    ),
]
"""A checked URL: https, or http to a loopback address where the same table says `allow_insecure_loopback = true`."""


class SecretRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret lives: a configured secret backend, a path in it, and a field of what is found there."""

    backend: str
    """The NAME of a `[secret_backends.NAME]` table."""
    path: str
    """As the secret backend counts: below its mount, or the name of a secret."""
    field: str | None = None
    """Which field of what is there; default: the whole value, where the backend has one."""
