"""kubectl: short runs of it, and one that lasts.

Owns: its configuration and its environment. Refuses to know: which token is current.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.consumers.programs import Complaints, repeated, request, shell
from tests.consumers.stage import Part
from tests.daemon.running import environment
from tests.kubernetes_programs import kubectl
from tests.servers.process import Child, free_port


@contextmanager
def runs(part: Part) -> Iterator[Complaints]:
    """The recipe's command line, again and again."""
    part.file("deploy.kubeconfig", part.text("yaml"))
    run = shell(part.text("sh"), env=_variables(part), cwd=part.place)
    with repeated(run, pause_seconds=0.5) as complaints:
        yield complaints


@contextmanager
def proxy(part: Part) -> Iterator[Complaints]:
    """`kubectl proxy` with the recipe's configuration, and somebody who asks it."""
    configuration = part.file("deploy.kubeconfig", part.text("yaml"))
    port = free_port()
    child = Child(
        [kubectl(), f"--kubeconfig={configuration}", "proxy", f"--port={port}", "--append-server-path"],
        env=_variables(part),
        log=part.place / "log",
    )
    url = f"http://127.0.0.1:{port}/api/v1/namespaces"
    try:
        child.wait_until(lambda: request(url)() is None, timeout=30, what="kubectl proxy answers")
        with repeated(request(url), pause_seconds=0.3) as complaints:
            yield complaints
    finally:
        child.stop()


def _variables(part: Part) -> dict[str, str]:
    """A shell finds our kubectl first, and kubectl keeps its cache here."""
    return environment({"PATH": f"{kubectl().parent}:{os.environ['PATH']}", "HOME": str(part.place)})
