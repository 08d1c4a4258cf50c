"""An environment and a home directory in which every variable that libraries listen to names somebody else.

Owns: the list, and the server that all of them lead to. A daemon that reaches it, or fails, has listened.
"""

from __future__ import annotations

from pathlib import Path

from tests.canary import MARKER
from tests.contract.fault_server import FaultServer

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def poison(home: Path, server: FaultServer) -> dict[str, str]:
    """The variables; `home` gets the files that libraries look for there."""
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text(
        f"machine 127.0.0.1\nlogin poison\npassword {MARKER}netrc\ndefault login poison password x\n"
    )
    netrc.chmod(0o600)
    (home / ".vault-token").write_text(f"{MARKER}human")
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        f"[default]\nregion = us-poison-1\nca_bundle = /poison\nendpoint_url = {server.url}\n[profile poison]\n"
    )
    return {
        "HOME": str(home),
        "NETRC": str(netrc),
        **dict.fromkeys(PROXIES, server.url),
        **dict.fromkeys(TRUST, "/poison"),
        **_of_vault(server),
        **_of_aws(server),
    }


def _of_vault(server: FaultServer) -> dict[str, str]:
    variables = {
        "ADDR": server.url,
        "AGENT_ADDR": server.url,
        "CACERT": "/poison",
        "CAPATH": "/poison",
        "CLIENT_CERT": "/poison",
        "CLIENT_KEY": "/poison",
        "NAMESPACE": "poison",
        "PROXY_ADDR": server.url,
        "SKIP_VERIFY": "true",
        "TOKEN": f"{MARKER}human",
    }
    return {f"{prefix}_{name}": value for prefix in ("VAULT", "BAO") for name, value in variables.items()}


def _of_aws(server: FaultServer) -> dict[str, str]:
    return {
        "AWS_CA_BUNDLE": "/poison",
        "AWS_CONFIG_FILE": "/poison",
        "AWS_DEFAULT_REGION": "us-poison-1",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": server.url,
        "AWS_ENDPOINT_URL_STS": server.url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_PROFILE": "poison",
        "AWS_REGION": "us-poison-1",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
    }
