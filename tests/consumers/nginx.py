"""nginx, a proxy that adds the token to what it passes on, and somebody who asks it.

Owns: what belongs around the recipe's server, nginx's start and end. Refuses to know: who tells it to load its
configuration again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.cache import missing
from tests.consumers.programs import Complaints, repeated, request
from tests.consumers.stage import Part
from tests.servers.nginx import HOW_TO_INSTALL, find_nginx
from tests.servers.process import Child, free_port

_AROUND: Final = """\
daemon off;
worker_processes 1;
{user}
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 64; }}
http {{
access_log off;
client_body_temp_path {place}/body;
proxy_temp_path {place}/proxy;
fastcgi_temp_path {place}/fastcgi;
uwsgi_temp_path {place}/uwsgi;
scgi_temp_path {place}/scgi;
{server}
}}
"""


@contextmanager
def nginx(part: Part) -> Iterator[Complaints]:
    """A running one; complains of every answer but 200."""
    program = find_nginx()
    if program is None:
        missing("nginx", HOW_TO_INSTALL)
    port = free_port()
    server = part.text("nginx").replace("listen 8080;", f"listen 127.0.0.1:{port};")
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker may not enter a private directory
    configuration = part.file("nginx.conf", _AROUND.format(user=user, place=part.place, server=server))
    child = Child(
        [program, "-p", part.place, "-c", configuration, "-e", part.place / "error.log"],
        env={"PATH": os.defpath},
        log=part.place / "log",
    )
    url = f"http://127.0.0.1:{port}/things"
    try:
        child.wait_until(lambda: request(url)() is None, timeout=30, what="nginx passes a request on")
        with repeated(request(url), pause_seconds=0.1) as complaints:
            yield complaints
    finally:
        child.stop()
