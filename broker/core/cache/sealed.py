"""The form of a cached token at rest: JWE compact serialisation (RFC 7516 3.1), direct encryption with A256GCM.

Owns: the protected header `{"alg":"dir","enc":"A256GCM","v":1,"id":HASH}`, and that only bytes made with the same key
for the same managed token are ever opened. The only importer of joserfc, and only when used: the import takes longer
than anything else at a start. Refuses to know: what is sealed, where keys come from.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

from broker.core.cache.refusals import EntryRefused
from broker.model import Secret

FORMAT_VERSION: Final = 1
LONGEST_BYTES: Final = 65_536
"""Four times the longest access token that is taken; read no further than this."""

_COMPACT: Final = re.compile(
    rb"([A-Za-z0-9_-]{1,512})\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}"
)


def prepare() -> None:
    """Load the library before there is something to seal: a token is safe so much sooner after its mint."""
    from joserfc import jwe  # noqa: F401 - for its effect


def seal(plaintext: bytes, *, key: Secret, identity: str) -> bytes:
    """The sealed bytes; the initialisation vector is drawn anew each time."""
    jwe, registry, jwk = _library(key)
    sealed: str = jwe.encrypt_compact(_header(identity), plaintext, jwk, registry=registry)
    return sealed.encode("ascii")


def unseal(content: bytes, *, key: Secret, identity: str) -> bytes:
    """What was sealed with this key for this identity. Raises EntryRefused for anything else."""
    _check_header(content, identity)
    jwe, registry, jwk = _library(key)
    try:
        plaintext: bytes | None = jwe.decrypt_compact(content, jwk, registry=registry).plaintext
    except Exception:  # noqa: BLE001 - whatever a library makes of bytes that anybody may have written
        raise EntryRefused("was sealed with another key, or changed since") from None
    return plaintext or b""


def _header(identity: str) -> dict[str, Any]:
    return {"alg": "dir", "enc": "A256GCM", "v": FORMAT_VERSION, "id": identity}


def _check_header(content: bytes, identity: str) -> None:
    """Nothing in a header that is not exactly ours reaches the library: no `zip`, no other algorithm."""
    parts = _COMPACT.fullmatch(content) if len(content) <= LONGEST_BYTES else None
    if parts is None:
        raise EntryRefused("is truncated, or no JWE in compact form")
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        raise EntryRefused("has a header that is not JSON") from None
    if not isinstance(header, dict) or type(header.get("v")) is not int:
        raise EntryRefused("has a header of another program")
    if header["v"] != FORMAT_VERSION:
        raise EntryRefused(f"has another format than version {FORMAT_VERSION}")
    if header.get("id") != identity:
        raise EntryRefused(
            "was kept for another managed token: other client, request or authorization server"
        )
    if header != _header(identity):
        raise EntryRefused("has a header of another program")


def _library(key: Secret) -> tuple[Any, Any, Any]:
    from joserfc import jwe
    from joserfc.jwk import OctKey
    from joserfc.registry import HeaderParameter

    extra = {"v": HeaderParameter("format version", "int"), "id": HeaderParameter("identity", "str")}
    registry = jwe.JWERegistry(header_registry=extra, algorithms=("dir", "A256GCM"))
    return jwe, registry, OctKey.import_key(key.reveal_bytes())
