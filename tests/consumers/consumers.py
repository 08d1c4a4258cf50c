"""The consumers, each with its recipe of the page and with how it is kept at work.

Owns: the list, and the consumers that need no more than a shell or Python. Refuses to know: how tokens are replaced and
who is let in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.cache import require
from tests.consumers import kubernetes
from tests.consumers.nginx import nginx
from tests.consumers.programs import Complaints, lasting, looped, repeated, shell
from tests.consumers.prometheus import prometheus
from tests.consumers.stage import Part
from tests.consumers.supervised import restarted
from tests.daemon.running import environment

Running = Callable[[Part], AbstractContextManager[Complaints]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """`name` is its account at the door. One that reads too seldom brings old tokens, to show that this is seen."""

    name: str
    title: str
    running: Running = field(repr=False)
    reads: Literal["again", "too seldom"] = "again"


@contextmanager
def curl(part: Part) -> Iterator[Complaints]:
    """The recipe's command line, again and again."""
    require("curl", "apt-get install curl")
    variables = environment({"XDG_RUNTIME_DIR": str(part.place)})
    run = shell(part.text("sh"), env=variables, cwd=part.place)
    with repeated(run, pause_seconds=0.25) as complaints:
        yield complaints


@contextmanager
def git(part: Part) -> Iterator[Complaints]:
    """The recipe's command line, again and again, with its lines in the user's configuration."""
    require("git", "apt-get install git")
    part.file(".gitconfig", part.text("ini"))
    run = shell(part.text("sh"), env=environment({"HOME": str(part.place)}), cwd=part.place)
    with repeated(run, pause_seconds=0.25) as complaints:
        yield complaints


@contextmanager
def python(part: Part) -> Iterator[Complaints]:
    """One process that runs the recipe's program, with the variables that the recipe exports."""
    lines = part.text("sh").splitlines() if "sh" in part.recipe.languages else []
    variables = {
        # The one address that no recipe can show: for the test, the STS of AWS is our API.
        "AWS_ENDPOINT_URL_STS": f"{part.stage.api.url}/{part.name}",
        **dict(line.removeprefix("export ").split("=", 1) for line in lines),
    }
    program = part.file("app.py", part.text("python"))
    with lasting(looped(program), env=environment(variables), cwd=part.place) as complaints:
        yield complaints


@contextmanager
def python_below_exec(part: Part) -> Iterator[Complaints]:
    """The recipe's command line, which starts its program below `token-broker exec`."""
    part.file("app.py", part.text("python"))
    variables = environment(
        {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TOKEN_BROKER_SOCKET": str(part.stage.runtime_dir / "token-broker.sock"),
            "XDG_RUNTIME_DIR": str(part.place),
        }
    )
    with lasting(["sh", "-c", part.text("sh")], env=variables, cwd=part.place) as complaints:
        yield complaints


CONSUMERS: Final = (
    Consumer(name="prometheus", title="Prometheus", running=prometheus),
    Consumer(name="curl-header", title="curl with a header file", running=curl),
    Consumer(name="curl-config", title="curl with a configuration file", running=curl),
    Consumer(name="kubectl", title="kubectl", running=kubernetes.runs),
    Consumer(name="botocore", title="AWS: a credentials endpoint", running=python),
    Consumer(name="web-identity", title="AWS: a role by web identity", running=python),
    Consumer(name="requests", title="Python: requests, and others that read netrc", running=python),
    Consumer(name="git", title="git", running=git),
    Consumer(name="wlcg", title="WLCG bearer token discovery", running=curl),
    Consumer(name="exec", title="Programs that are told the file by exec", running=python_below_exec),
    Consumer(name="nginx", title="nginx", running=nginx),
    Consumer(name="restarted", title="Programs that read the file once", running=restarted),
    Consumer(name="kubectl-proxy", title="kubectl", running=kubernetes.proxy, reads="too seldom"),
    Consumer(name="nginx-untold", title="nginx", running=nginx, reads="too seldom"),
    Consumer(name="untold", title="Programs that read the file once", running=python, reads="too seldom"),
)
