"""What every method that sends a client secret demands of the credential.

Owns: the characters a `client_id` and a `client_secret` may have (RFC 6749 appendix A). Refuses to know:
how a method sends them. Errors name the setting and never the value.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from broker.api import Client, SecretMalformed

ID_SETTING: Final = "client_id"
SECRET_SETTING: Final = "client_secret"


def secret_text(client: Client, *, method: str) -> str:
    """The client secret. Raises SecretMalformed if there is none, or it is empty or not clean text."""
    if client.client_secret is None:
        raise SecretMalformed(f"{SECRET_SETTING}: {method} needs one, and none is configured")
    try:
        text = client.client_secret.reveal()
    except ValueError:
        raise SecretMalformed(f"{SECRET_SETTING}: the stored secret is not UTF-8 text") from None
    return checked(text, setting=SECRET_SETTING)


def checked(text: str, *, setting: str) -> str:
    """The same text. Raises SecretMalformed if it is empty or has control characters (R-026)."""
    if not text:
        raise SecretMalformed(f"{setting}: the stored value is empty")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise SecretMalformed(
            f"{setting}: the stored value has a control character (a line break, perhaps); store it without"
        )
    return text


def checked_ascii(text: str, *, setting: str) -> str:
    """The same text. Raises SecretMalformed if it is not printable ASCII (VSCHAR of RFC 6749 A.1, A.2)."""
    if not text.isascii():
        raise SecretMalformed(
            f"{setting}: the stored value has characters outside ASCII, which client_secret_basic cannot "
            "carry; use client_secret_post"
        )
    return checked(text, setting=setting)
