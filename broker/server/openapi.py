"""`GET /v1/openapi.json`: the socket API as an OpenAPI 3.1 description.

Owns: the description. Refuses to know: how anything in it is done. The closed sets come from where they are defined,
and the tests hold every answer against this.
"""

from __future__ import annotations

import json
from typing import Any, Final, get_args

from broker.errors import Condition, ErrorClass
from broker.model import TokenState
from broker.policy.readiness import UnusableCode
from broker.server import watch

Schema = dict[str, Any]

_NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_DURATION: Final = r"^[0-9]{1,12}(\.[0-9]{1,9})?(ms|s|m|h|d)?$"
_SECONDS: Final = {"type": "integer", "description": "Unix seconds, rounded down"}
_REFUSALS: Final = ("not_found", "method_not_allowed")  # of what is not described
_PROBLEMS: Final = {
    400: ("The request cannot be understood.", ("invalid_request",)),
    403: ("This peer may not read a token of this name; there may be none.", ("denied",)),
    429: ("More than is done for callers; `retry_after` says when again.", ("rate_limited",)),
    503: (
        "The token cannot be had, or not for as long as was asked.",
        (*get_args(UnusableCode), "min_valid"),
    ),
}


def document() -> bytes:
    """The description as JSON."""
    return json.dumps(_description(), indent=1).encode()


def _description() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "token-broker",
            "version": "1",
            "summary": "Access tokens over a Unix socket.",
            "description": "Who asks is known from the kernel's credentials of the peer; nothing else authenticates.",
        },
        "servers": [{"url": "http://localhost", "description": "curl --unix-socket PATH"}],
        "paths": {
            "/v1/tokens": _get("listTokens", "The tokens that this peer may read.", _ok("Records")),
            "/v1/tokens/{name}": {
                "parameters": [{"$ref": "#/components/parameters/name"}],
                "get": _operation(
                    "getToken",
                    "The current token.",
                    {
                        "200": {
                            "description": "The token as JSON, or bare for `Accept: text/plain`.",
                            "content": {
                                "application/json": {"schema": _ref("Token")},
                                "text/plain": {"schema": {"type": "string"}},
                            },
                        },
                        **_refusals(400, 403, 503),
                    },
                    query=("min_valid", "wait"),
                ),
            },
            "/v1/tokens/{name}/renew": {
                "parameters": [{"$ref": "#/components/parameters/name"}],
                "post": _operation(
                    "renewToken",
                    "Mint a successor now.",
                    {
                        "200": _json("The new revision is there.", "Record"),
                        "202": _json("A mint was started, or is kept until a pause ends.", "Accepted"),
                        **_refusals(400, 403, 429),
                    },
                    query=("wait",),
                ),
            },
            "/v1/tokens/{name}/reject": {
                "parameters": [{"$ref": "#/components/parameters/name"}],
                "post": _operation(
                    "rejectToken",
                    "Report that an API refused this token.",
                    {
                        "200": _json("Nothing to do.", "Settled"),
                        "202": _json("A mint was started.", "Accepted"),
                        **_refusals(400, 403, 429),
                    },
                    body="Report",
                ),
            },
            "/v1/status": _get(
                "status", "States without tokens, of what this peer may read.", _ok("Records")
            ),
            "/v1/watch": _get(
                "watch",
                "A record of each token, then one for each change of state, condition or revision, a line each.",
                {
                    "200": {
                        "description": "JSON lines for as long as the connection is read.",
                        "content": {watch.CONTENT_TYPE: {"schema": _ref("Record")}},
                    }
                },
            ),
            "/v1/openapi.json": _get(
                "openapi",
                "This description.",
                {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            ),
        },
        "components": {"schemas": _schemas(), "parameters": _parameters(), "responses": _responses()},
    }


def _parameters() -> Schema:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{_NAME}$"},
    }
    duration = {"type": "string", "pattern": _DURATION, "examples": ["60s", "500ms", "5"]}
    return {
        "name": name,
        "min_valid": {
            "name": "min_valid",
            "in": "query",
            "description": "The least life that the token must have left; renewed if it has less.",
            "schema": duration,
        },
        "wait": {
            "name": "wait",
            "in": "query",
            "description": "How long to wait for what is not there yet, 30 s at the most.",
            "schema": duration,
        },
    }


def _schemas() -> Schema:
    record = _record()
    outcome = {"type": "string", "enum": ["started", "pending"]}
    settled = {"type": "string", "enum": ["not_current", "too_old"]}
    fingerprint = {
        "type": "string",
        "pattern": "^[0-9a-fA-F]{16}$",
        "description": "Of SHA-256 of the token.",
    }
    return {
        "Token": _object(
            name={"type": "string"},
            access_token={"type": "string", "minLength": 1},
            token_type={"type": "string"},
            expires_in={"type": "integer", "minimum": 0},
            expires_at=_SECONDS,
            issued_at=_SECONDS,
            scope={"type": ["string", "null"]},
            revision={"type": "integer", "minimum": 1},
            fingerprint=fingerprint,
            state={"type": "string", "enum": ["fresh", "stale"]},
        ),
        "Record": _object(**record),
        "Records": _object(tokens={"type": "array", "items": _ref("Record")}),
        "Accepted": _object(outcome=outcome, **record),
        "Settled": _object(outcome=settled),
        "Report": {
            **_object(fingerprint=fingerprint, requested_at={"type": ["number", "null"]}),
            "required": ["fingerprint"],
            "description": "`requested_at`: when the refused request was made, in Unix seconds; without it, now.",
        },
        "Problem": _object(
            type={"type": "string"},
            title={"type": "string"},
            status={"type": "integer"},
            code={
                "type": "string",
                "enum": [*_REFUSALS, *(c for _, codes in _PROBLEMS.values() for c in codes)],
            },
            detail={"type": "string"},
            help={"type": "string", "description": "What to do about it."},
            retry_after={"type": ["integer", "null"], "minimum": 1, "description": "seconds"},
        ),
    }


def _record() -> Schema:
    moment = {**_SECONDS, "type": ["integer", "null"]}
    return {
        "name": {"type": "string"},
        "state": {"type": "string", "enum": list(get_args(TokenState))},
        "condition": {"type": "string", "enum": list(get_args(Condition))},
        "reason": {"type": "string"},
        "revision": {"type": "integer", "minimum": 0},
        "issued_at": moment,
        "expires_at": moment,
        "next_renewal_at": moment,
        "secret_version": {"type": ["string", "null"]},
        "last_error": {"enum": [*get_args(ErrorClass), None]},
    }


def _responses() -> Schema:
    refusal = _problem(
        "Not a request, or not of this description; or too many connections are open.", _ref("Problem")
    )
    return {
        "refusal": refusal,
        **{
            f"problem{status}": _problem(
                description,
                {
                    "allOf": [_ref("Problem")],
                    "properties": {"status": {"const": status}, "code": {"enum": list(codes)}},
                },
            )
            for status, (description, codes) in _PROBLEMS.items()
        },
    }


def _problem(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _get(operation: str, summary: str, responses: Schema) -> Schema:
    return {"get": _operation(operation, summary, responses)}


def _operation(
    operation: str, summary: str, responses: Schema, *, query: tuple[str, ...] = (), body: str | None = None
) -> Schema:
    described: Schema = {
        "operationId": operation,
        "summary": summary,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in query],
        "responses": {**responses, "default": {"$ref": "#/components/responses/refusal"}},
    }
    if body is not None:
        content = {"application/json": {"schema": _ref(body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _ok(schema: str) -> Schema:
    return {"200": _json("Records without tokens.", schema)}


def _json(description: str, schema: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _refusals(*statuses: int) -> Schema:
    return {str(status): {"$ref": f"#/components/responses/problem{status}"} for status in statuses}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}
