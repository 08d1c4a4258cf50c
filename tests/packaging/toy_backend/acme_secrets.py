"""Client secrets from Acme's store: `GET /v1/secrets/PATH` answers `{"version": 3, "data": {"NAME": "VALUE"}}`."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from broker import api


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: api.HttpUrl
    token_file: api.InputFile
    allow_insecure_loopback: bool = False


class AcmeBackend:
    def __init__(self, options: Options, context: api.PluginContext) -> None:
        self._address = urlsplit(options.url)
        self._token_file = Path(options.token_file)
        self._where = f"secret backend {context.name}"

    def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
        answer = self._get(path, timeout_seconds)
        try:
            found = json.loads(answer)
            fields = {name: api.Secret(value) for name, value in found["data"].items()}
            return api.SecretDocument(fields=fields, version=str(found["version"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise api.SecretMalformed(f"{self._where}: {path}: is not {{version, data}}") from None

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        return None  # asked only of plug-ins that declare the capability `cheap_version_check`

    def close(self) -> None:
        pass  # each read has a connection of its own

    def _get(self, path: str, timeout_seconds: float) -> bytes:
        about = f"{self._where}: {path}"
        tls = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=timeout_seconds)
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            connection.request("GET", f"/v1/secrets/{quote(path)}", headers=headers)
            response = connection.getresponse()
            status, pause, body = response.status, response.headers["Retry-After"], response.read(1_000_000)
        except (OSError, http.client.HTTPException) as error:
            raise api.SecretBackendUnavailable(f"{about}: no answer ({type(error).__name__})") from None
        finally:
            connection.close()
        match status:
            case 200:
                return body
            case 403:
                raise api.SecretAccessDenied(f"{about}: grant our token the right to read it")
            case 404:
                raise api.SecretNotFound(f"{about}: there is no such secret")
        wait = float(pause) if pause and pause.isdecimal() else None
        raise api.SecretBackendUnavailable(f"{about}: status {status}", retry_after_seconds=wait)


plugin = api.SecretBackendPlugin(options=Options, create=AcmeBackend, capabilities=frozenset({"versions"}))
