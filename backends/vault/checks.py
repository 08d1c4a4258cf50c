"""What the types of the options cannot express: keys that need or exclude each other, values that no header carries.

Owns: the faults, each with the key and the fix. Refuses to know: files and networks; what is missing there is a
condition at run time.
"""

from __future__ import annotations

import re

from backends.vault.options import AppRole, Aws, Cert, Jwt, Kubernetes, VaultOptions
from broker.api import Fault

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_EMPTY = "must not be empty"


def check(options: VaultOptions) -> tuple[Fault, ...]:
    """Every fault, with paths relative to the table."""
    return (*_table(options), *_auth(options))


def _table(options: VaultOptions) -> list[Fault]:
    faults = [] if options.mount.strip("/") else [Fault("mount", _EMPTY)]
    if options.namespace is not None and not _is_header_text(options.namespace):
        faults.append(
            Fault("namespace", 'must be a path such as "team-a/ci"; leave it out for the root namespace')
        )
    pair = {"certificate_file": options.certificate_file, "private_key_file": options.private_key_file}
    given = [key for key, value in pair.items() if value is not None]
    missing = [key for key in pair if key not in given]
    if given and missing:
        faults.append(Fault(missing[0], f"required with {given[0]}"))
    if given and isinstance(options.auth, Cert):
        faults.append(Fault(given[0], "method cert presents its own certificate: take this out"))
    if (given or isinstance(options.auth, Cert)) and options.url.startswith("http:"):
        faults.append(Fault("url", "must be https: a client certificate is shown in the TLS handshake only"))
    return faults


def _auth(options: VaultOptions) -> list[Fault]:
    auth = options.auth
    faults = [] if auth.mount.strip("/") else [Fault("auth.mount", _EMPTY)]
    match auth:
        case AppRole():
            faults += _approle(auth)
        case Kubernetes() | Jwt() if not auth.role:
            faults.append(Fault("auth.role", f"{_EMPTY}: name a role of auth/{auth.mount.strip('/')}"))
        case Aws():
            faults += _aws(auth)
    return faults


def _approle(auth: AppRole) -> list[Fault]:
    faults = []
    if not auth.role_id and auth.role_id_file is None:
        faults.append(Fault("auth.role_id_file", "required: method approle takes it or role_id"))
    elif auth.role_id is not None and auth.role_id_file is not None:
        faults.append(Fault("auth.role_id", "method approle takes one of role_id and role_id_file"))
    if auth.creation_role is not None and not auth.secret_id_wrapped:
        faults.append(Fault("auth.creation_role", "has no effect without secret_id_wrapped = true"))
    if auth.creation_role is not None and (not auth.creation_role or "/" in auth.creation_role):
        faults.append(Fault("auth.creation_role", "must be the name of an AppRole, not a path"))
    return faults


def _aws(auth: Aws) -> list[Fault]:
    faults = []
    if not auth.role:
        faults.append(Fault("auth.role", f"{_EMPTY}: name a role of auth/{auth.mount.strip('/')}"))
    if not _REGION.fullmatch(auth.region):
        faults.append(Fault("auth.region", 'not the name of an AWS region, such as "eu-west-1"'))
    if auth.server_id_header is not None and not _is_header_text(auth.server_id_header):
        faults.append(
            Fault("auth.server_id_header", "must be the text of iam_server_id_header_value, without spaces")
        )
    return faults


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and bool(text.strip("/")) and " " not in text
