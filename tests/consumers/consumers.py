"""The consumers: for each, the recipe of the page, and how the test keeps it at work.

Owns: what a recipe's names stand for on this machine. Refuses to know: how tokens are replaced and who is let in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlencode

from tests.cache import require
from tests.consumers.api import Api
from tests.consumers.page import Recipe, recipe, runtime
from tests.consumers.programs import Complaints, command, lasting, repeated
from tests.daemon.running import environment
from tests.kubernetes_programs import kubectl
from tests.servers.http import ask
from tests.servers.process import Child, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where consumers are: a directory each, the broker's runtime directory, and the API."""

    directory: Path
    runtime_dir: Path
    api: Api

    def place(self, name: str) -> Path:
        """An own directory."""
        place = self.directory / name
        place.mkdir(exist_ok=True)
        return place

    def plain(self, name: str) -> dict[str, str]:
        """What the names of a recipe stand for: the runtime directory, and the API over http."""
        return {"https://api.example": f"{self.api.url}/{name}"} | runtime(self.runtime_dir)


Running = Callable[[Stage, Recipe, str], AbstractContextManager[Complaints]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """`name` is its account at the door. One that reads too seldom brings old tokens, to show that this is seen."""

    name: str
    title: str
    running: Running = field(repr=False)
    reads: Literal["again", "too seldom"] = "again"


@contextmanager
def prometheus(stage: Stage, recipe: Recipe, name: str) -> Iterator[Complaints]:
    """Scrapes twice a second; complains of samples of `up` that are 0, which Prometheus itself counts."""
    program = require("prometheus", "apt-get install prometheus")
    place, port = stage.place(name), free_port()
    text = recipe.block(
        "yaml",
        replacing={
            "api.example:443": stage.api.tls_url.removeprefix("https://"),
            "/etc/ssl/corp.pem": str(stage.api.ca_file),
            "metrics_path: /metrics": f"metrics_path: /{name}/metrics",
        }
        | runtime(stage.runtime_dir),
    )
    (place / "prometheus.yml").write_text(
        f"global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n{text}"
    )
    child = Child(
        [
            program,
            f"--config.file={place}/prometheus.yml",
            f"--storage.tsdb.path={place}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        env=environment(),
        log=place / "log",
    )
    complaints: Complaints = []
    try:
        yield complaints
        complaints += _scrapes_that_failed(f"http://127.0.0.1:{port}")
    finally:
        child.stop()


def _scrapes_that_failed(url: str) -> Complaints:
    """What Prometheus itself stored about its scrapes."""
    query = "count_over_time(up[1h]) - sum_over_time(up[1h])"
    (series,) = ask("GET", f"{url}/api/v1/query?{urlencode({'query': query})}").json["data"]["result"]
    return ["a scrape failed"] * int(series["value"][1])


@contextmanager
def curl(stage: Stage, recipe: Recipe, name: str) -> Iterator[Complaints]:
    """A run of the recipe's command line, again and again."""
    require("curl", "apt-get install curl")
    text = recipe.block("sh", replacing=stage.plain(name))
    run = command(["sh", "-c", text], env=environment(), cwd=stage.place(name))
    with repeated(run, pause_seconds=0.2) as complaints:
        yield complaints


@contextmanager
def kubectl_runs(stage: Stage, recipe: Recipe, name: str) -> Iterator[Complaints]:
    """A run of the recipe's command line, again and again."""
    run = command(
        ["sh", "-c", recipe.block("sh")], env=_of_kubectl(stage, recipe, name), cwd=stage.place(name)
    )
    with repeated(run, pause_seconds=0.5) as complaints:
        yield complaints


def _of_kubectl(stage: Stage, recipe: Recipe, name: str) -> dict[str, str]:
    """Write the kubeconfig; the environment in which a shell finds kubectl."""
    place = stage.place(name)
    text = recipe.block(
        "yaml",
        replacing={
            "https://kubernetes.example:6443": f"{stage.api.tls_url}/{name}",
            "/etc/ssl/corp.pem": str(stage.api.ca_file),
        }
        | runtime(stage.runtime_dir),
    )
    (place / "deploy.kubeconfig").write_text(text)
    return environment({"PATH": f"{kubectl().parent}:{os.environ['PATH']}", "HOME": str(place)})


@contextmanager
def botocore(stage: Stage, recipe: Recipe, name: str) -> Iterator[Complaints]:
    """One process that uses its AWS credentials again and again; each time they have to be fetched anew."""
    lines = recipe.block("sh", replacing=stage.plain(name)).splitlines()
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    with lasting(recipe.block("python"), stage.place(name) / "app", env=environment(variables)) as complaints:
        yield complaints


@contextmanager
def reads_once(stage: Stage, recipe: Recipe, name: str) -> Iterator[Complaints]:
    """One process that read the file at its start."""
    text = recipe.block("python", replacing=stage.plain(name))
    with lasting(text, stage.place(name) / "app", env=environment()) as complaints:
        yield complaints


CONSUMERS: Final = (
    Consumer(name="prometheus", title="Prometheus", running=prometheus),
    Consumer(name="curl-header", title="curl with a header file", running=curl),
    Consumer(name="kubectl", title="kubectl", running=kubectl_runs),
    Consumer(
        name="reads-once", title="Programs that read the file once", running=reads_once, reads="too seldom"
    ),
)


def tables(stage: Stage) -> str:
    """The broker's files, of every recipe once."""
    titles = dict.fromkeys(consumer.title for consumer in CONSUMERS)
    return "\n".join(recipe(title).files() for title in titles)
