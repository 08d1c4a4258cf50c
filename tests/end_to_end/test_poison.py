"""The poison works: programs that listen to the environment end up at its server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.contract.fault_server import Reply, running_fault_server
from tests.end_to_end.poison import poison

ASK_LIKE_EVERYBODY = """
import os
import hvac, requests
assert hvac.Client().token == os.environ["VAULT_TOKEN"]
os.environ = {name: value for name, value in os.environ.items() if name not in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
requests.get("http://broker.invalid/")
requests.get(os.environ["VAULT_ADDR"], proxies={"http": ""})
"""


def test_environment_leads_programs_that_listen_to_it_astray(tmp_path: Path) -> None:
    """Negative control: a proxy is asked in place of the host, and a netrc entry becomes a Basic header."""
    with running_fault_server(lambda _: Reply()) as poisoned:
        environment = poison(tmp_path / "home", poisoned) | {"PATH": os.environ["PATH"]}
        subprocess.run([sys.executable, "-c", ASK_LIKE_EVERYBODY], env=environment, timeout=60, check=True)
        proxied, authenticated = poisoned.ledger
    assert "http://broker.invalid/" == proxied.path
    assert authenticated.headers["authorization"].startswith("Basic ")
