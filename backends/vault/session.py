"""The connections to Vault: whom we trust, what we present, and nothing from the environment.

Owns: the requests session (no proxies, netrc, cookies, redirects or retries; few connections), and its renewal when
the files it was made of were replaced. Refuses to know: what is asked over it (R-004, R-005).
"""

from __future__ import annotations

import ssl
import threading
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
import requests.adapters
import urllib3.util

from backends.vault.options import VaultOptions, client_certificate

MOST_CONNECTIONS = 4

Identity = tuple[int, int, int] | None


class FileUnusable(Exception):
    """A file that TLS needs is not there or not good for it; the message names key and file."""


class SharedSession:
    """Thread-safe."""

    def __init__(self, options: VaultOptions) -> None:
        certificate, key = client_certificate(options)
        files = {"ca_file": options.ca_file, "certificate_file": certificate, "private_key_file": key}
        self._files = {key: path for key, path in files.items() if path is not None}
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._identities: list[Identity] = []

    def get(self) -> requests.Session:
        """The session; a new one if a file was replaced, because a kept connection goes on with the old."""
        with self._lock:
            identities = self.identity()
            if None in identities:
                key = list(self._files)[identities.index(None)]
                raise FileUnusable(f"{key} {self._files[key]} is not there")
            if self._session is None or identities != self._identities:
                if self._session is not None:
                    self._session.close()
                self._session, self._identities = self._new(), identities
            return self._session

    def identity(self) -> list[Identity]:
        """What its files look like now."""
        return [identity(path) for path in self._files.values()]

    def close(self) -> None:
        """Drop idle connections. Idempotent."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _new(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        ca_file, certificate, key = map(self._files.get, ("ca_file", "certificate_file", "private_key_file"))
        session.verify = ca_file or system_trust()  # hvac prefers the session's to its own argument
        if ca_file is not None:
            _try_trust(ca_file)
        if certificate is not None and key is not None:
            _try_certificate(certificate, key)
            session.cert = (certificate, key)
        session.stream = True  # bodies are read under a deadline and a limit
        session.headers["Accept-Encoding"] = "identity"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = requests.adapters.HTTPAdapter(
            pool_connections=1, pool_maxsize=MOST_CONNECTIONS, max_retries=urllib3.util.Retry(0, read=False)
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def identity(path: str) -> Identity:
    """What a file looks like from outside, symlinks followed: another one after any replacement. None if absent."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _try_trust(ca_file: str) -> None:
    """Here, where an error can say which file it is."""
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError:
        pass
    else:
        return
    raise FileUnusable(f"ca_file {ca_file} cannot be read or holds no certificates in PEM")


def _try_certificate(certificate: str, key: str) -> None:
    """Likewise; the password is there so that OpenSSL does not ask for one on a terminal."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="none")
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    else:
        return
    raise FileUnusable(
        f"certificate_file {certificate} and private_key_file {key}: are they of one pair, in PEM, the key "
        f"not encrypted? ({reason})"
    )


def system_trust() -> str | bool:
    """The trust store of this system, whatever SSL_CERT_FILE says; certifi's where there is none."""
    paths = ssl.get_default_verify_paths()
    if Path(paths.openssl_cafile).is_file():
        return paths.openssl_cafile
    directory = Path(paths.openssl_capath)
    return str(directory) if directory.is_dir() and any(directory.iterdir()) else True
