"""A file sink under test: its options in one line, publications whose token is theirs to recognise.

Owns: how this area builds sinks and publications. Refuses to know: what is expected of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from broker.api import AccessToken, Moment, PluginContext, Publication, Revision, Secret
from broker.sinks.file import FileSink, FileSinkOptions
from broker.testing.observer import RecordingObserver

ISSUED_AT: Final = 1_700_000_000.75
WHOLE_TOKEN: Final = re.compile(rb"S3CR3T-[0-9]+-(?P<fill>x*)-end")


def token_text(number: int, *, fill: int = 0) -> str:
    """A token that says which revision it is of, as long as `fill` wants it."""
    return f"S3CR3T-{number}-{'x' * fill}-end"


def publication(
    number: int = 1, *, fill: int = 0, text: str | None = None, scope: tuple[str, ...] | None = None
) -> Publication:
    """Revision `number` of the token `deploy`, valid for 300 s."""
    value = token_text(number, fill=fill) if text is None else text
    token = AccessToken(
        value=Secret(value), expires_in=300, issued=Moment(wall=ISSUED_AT, boot=10.0), scope=scope
    )
    return Publication(token_name="deploy", revision=Revision(number=number, token=token, jitter=0.0))


def sink_for(path: Path, *, observer: RecordingObserver | None = None, **options: Any) -> FileSink:
    """The sink that `[[tokens.deploy.files]]` with these keys would make."""
    context = PluginContext(name="deploy", observer=observer or RecordingObserver())
    return FileSink(FileSinkOptions(path=str(path), **options), context)


def entries(directory: Path) -> list[str]:
    """Everything in a directory, hidden files too."""
    return sorted(entry.name for entry in directory.iterdir())
