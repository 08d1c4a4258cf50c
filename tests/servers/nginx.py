"""nginx as a baseline: a fixed body over a Unix socket, the least that any HTTP server could do.

Owns the configuration of that one server. The benchmark divides our figures by its figures; nothing else uses
it.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.servers.process import Child

HOW_TO_INSTALL: Final = "apt-get install nginx-light"
BODY_BYTES: Final = 1400  # about one token with its JSON around it
START_TIMEOUT_SECONDS: Final = 30.0

_CONFIGURATION: Final = """\
daemon off;
worker_processes 1;
{user}
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 100000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen unix:{directory}/nginx.sock;
    location / {{ return 200 "{body}"; }}
  }}
}}
"""


def find_nginx() -> Path | None:
    """The program, also where only the administrator's PATH leads; None when it is not installed."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


@contextmanager
def running_nginx(program: Path, directory: Path) -> Iterator[Path]:
    """Yields the path of the socket that answers every GET with ``BODY_BYTES`` bytes."""
    configuration = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker may not enter a private directory
    configuration.write_text(_CONFIGURATION.format(directory=directory, user=user, body="x" * BODY_BYTES))
    path = directory / "nginx.sock"
    child = Child(
        [program, "-p", directory, "-c", configuration, "-e", directory / "error.log"],
        env={"PATH": os.defpath},
        log=directory / "nginx.log",
    )
    child.wait_until(
        lambda: _accepts(path), timeout=START_TIMEOUT_SECONDS, what="nginx accepts on its socket"
    )
    try:
        yield path
    finally:
        child.stop()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
    return True
