"""The file sink: a token in a file, and beside it, where that is configured, a file that describes it.

Owns: the options, what is written in which order, and when a program that reads the file has something new. Refuses to
know: how a file is put in its place (`placed_file`), what the bytes are (`formats`, `metadata`), how a program is told
(`hooks`).
"""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from broker.api import (
    ChangeHook,
    Fault,
    FileMode,
    FilePath,
    GroupName,
    PluginContext,
    Publication,
    SinkError,
    TokenSinkPlugin,
)
from broker.sinks import formats, hooks, metadata
from broker.sinks.formats import ContentOptions
from broker.sinks.hooks import FileHook, OnChange
from broker.sinks.placed_file import PlacedFile
from broker.sinks.told import Told


class FileSinkOptions(ContentOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of `[[tokens.NAME.files]]`."""

    path: FilePath
    """Where; missing directories are made."""
    mode: FileMode | None = None
    """Default 0600, or 0640 with a group: a token is as good as a password while it lives."""
    group: GroupName | None = None
    """The group of the file; default: the one that the directory gives to new files."""
    on_expiry: Literal["keep", "remove"] = "keep"
    """What happens to the file when the token expires, or leaves the configuration. Kept by default: a consumer
    explains a refused token better than a missing file."""
    metadata: FilePath | None = None
    """A companion that describes the token without it: JSON with name, times, scope, revision, fingerprint and the
    version of the client secret. Written after the token; `mode`, `group` and `on_expiry` hold for it too."""
    on_change: OnChange | None = None
    """Whom to tell that there is something new in the file."""


class FileSink:
    """The files of one `[[tokens.NAME.files]]` table. Raises SinkError only."""

    __slots__ = ("_metadata", "_options", "_token", "_told")

    def __init__(self, options: FileSinkOptions, context: PluginContext) -> None:
        def place(path: str) -> PlacedFile:
            return PlacedFile(path, mode=options.mode, group=options.group, observer=context.observer)

        self._options = options
        self._token = place(options.path)
        self._metadata = None if options.metadata is None else place(options.metadata)
        self._told = None if options.on_change is None else Told(options.path)

    def publish(self, publication: Publication) -> bool:
        """Replace the files, or leave them untouched where they hold the same bytes already."""
        if not publication.revision.token.value:
            raise SinkError(f"{self._options.path}: an empty token is not published", code="empty")
        content = formats.render(publication, self._options)
        if self._told is None:
            written = self._token.put(content)
        else:
            written = self._token.put(content, before_replacement=self._told.expect)
        if self._metadata is not None:
            self._metadata.put(metadata.render(publication))
        return written if self._told is None else self._told.lacks(content, written=written)

    def withdraw(self) -> None:
        """Remove the files; the description never outlives the token."""
        if self._metadata is not None:
            self._metadata.remove()
        self._token.remove()
        if self._told is not None:
            self._told.forget()

    def close(self) -> None:
        """Nothing is held between publications, so that a directory built anew is found again."""


def _create(options: FileSinkOptions, context: PluginContext) -> FileSink:
    return FileSink(options, context)


def _check(options: FileSinkOptions) -> tuple[Fault, ...]:
    found = [*formats.faults(options)]
    for key, path in (("path", options.path), ("metadata", options.metadata)):
        if path is not None and path.rsplit("/", 1)[-1] in {"", ".", ".."}:
            found.append(Fault(key, "names a directory; name a file in it"))
    if options.on_change is not None:
        found += hooks.faults(options.on_change)
    return tuple(found)


def _hook(options: FileSinkOptions) -> ChangeHook | None:
    if options.on_change is None:
        return None
    return FileHook(
        options.on_change,
        path=options.path,
        content=lambda publication: formats.render(publication, options),
    )


def _rest(options: FileSinkOptions, others: tuple[FileSinkOptions, ...]) -> FileSinkOptions | None:
    kept = {os.path.normpath(path) for each in others for path in (each.path, each.metadata) if path}
    metadata = options.metadata
    if metadata is not None and os.path.normpath(metadata) in kept:
        metadata = None
    if os.path.normpath(options.path) not in kept:
        return msgspec.structs.replace(options, metadata=metadata)
    return None if metadata is None else FileSinkOptions(path=metadata)


plugin = TokenSinkPlugin(
    options=FileSinkOptions,
    create=_create,
    target=lambda options: str(options.path),
    check=_check,
    hook=_hook,
    rest=_rest,
)
