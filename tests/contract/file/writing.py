"""Secrets in files as their authors write them: by hand, and as the kubelet does.

Owns: the writing, and the reading back of a document. Refuses to know: the backend.
"""

from __future__ import annotations

from pathlib import Path

from broker.api import SecretDocument

PATIENCE_SECONDS = 5.0


def shown(document: SecretDocument) -> tuple[bytes | None, dict[str, str]]:
    """Answer the whole value and the fields."""
    whole = document.whole.reveal_bytes() if document.whole else None
    return whole, {name: secret.reveal() for name, secret in document.fields.items()}


def write(file: Path, content: str | bytes) -> Path:
    """Write a file that only its owner may read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def mount(directory: Path, generation: str, **files: str) -> None:
    """Do what the kubelet does for a mounted Secret: all files at once, by one rename of a link."""
    (directory / f"..{generation}").mkdir(exist_ok=True)
    for name, content in files.items():
        write(directory / f"..{generation}" / name, content)
    (directory / "..data_tmp").symlink_to(f"..{generation}")
    (directory / "..data_tmp").replace(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
