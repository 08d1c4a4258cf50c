"""One HTTP exchange with a test server: JSON or a form goes in, status and parsed JSON come out.

Owns nothing but the encoding; an error status is an answer here, never an exception. Ignores the proxies of
the environment, since only loopback is ever asked.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

REQUEST_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``json`` is the parsed body, {} when it was none; ``headers`` ignore case."""

    status: int
    json: Any
    text: str
    headers: Message


def ask(
    method: str,
    url: str,
    *,
    json_body: object = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request. Raises OSError when no HTTP answer came."""
    data, content_type = _encoded(json_body, form)
    request = urllib.request.Request(
        url, data=data, method=method, headers=content_type | dict(headers or {})
    )
    try:
        with _opener(tls).open(request, timeout=REQUEST_TIMEOUT_SECONDS) as response:
            return _answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.headers, error.read())


def _opener(tls: ssl.SSLContext | None) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )


def _encoded(json_body: object, form: Mapping[str, str] | None) -> tuple[bytes | None, dict[str, str]]:
    if form is not None:
        return urllib.parse.urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if json_body is not None:
        return json.dumps(json_body).encode(), {"Content-Type": "application/json"}
    return None, {}


def _answer(status: int, headers: Message, body: bytes) -> Answer:
    text = body.decode(errors="replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = {}
    return Answer(status, parsed, text, headers)
