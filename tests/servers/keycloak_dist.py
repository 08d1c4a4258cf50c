"""Keycloak's distribution: fetched by name from Maven Central, built and seeded once per machine.

Owns version and checksum, the command line of the JVM and the cached directory: ``dist`` is the built server,
``seed`` the database files that hold the operator and the realm of keycloak_realm. Starting from the
seed instead of an empty database halves the time of every later run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.cache import cached, require
from tests.servers.http import ask
from tests.servers.keycloak_realm import REALM, REPRESENTATION
from tests.servers.process import Child, free_port, started

VERSION: Final = "26.7.3"
SHA256: Final = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
OPERATOR_ID: Final = "operator"
OPERATOR_SECRET: Final = "S3CR3T-operator-of-the-test-realm"
START_TIMEOUT_SECONDS: Final = 300.0
_STEP_TIMEOUT_SECONDS: Final = 600.0
_LOG_TAIL_CHARACTERS: Final = 2000

_BUILD_OPTIONS: Final = ("--db=dev-file", "--health-enabled=true")
_QUARKUS: Final = "io.quarkus.bootstrap"
_THREADS: Final = "QuarkusForkJoinWorkerThreadFactory"
# The first-level compiler and the serial collector: a server that lives for a minute never earns back more.
_JVM_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    *(
        f"--add-opens=java.base/java.{name}=ALL-UNNAMED"
        for name in ("lang", "security", "util", "util.concurrent")
    ),
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_QUARKUS}.forkjoin.{_THREADS}",
    "-Dpicocli.disable.closures=true",
    "-Duser.language=en",
    "-Duser.country=US",
)


def ensure() -> Path:
    """Answer the directory with ``dist`` and ``seed``; the first call on a machine takes about a minute."""
    recipe = [VERSION, SHA256, *_BUILD_OPTIONS, str(java()), OPERATOR_SECRET, json.dumps(REPRESENTATION)]
    return cached(f"keycloak-{VERSION}", "\n".join(recipe), _build)


def java() -> Path:
    """Temurin 25 where Debian puts it, else what PATH has; 17 is the oldest that starts this Keycloak."""
    temurin = next(Path("/usr/lib/jvm").glob("temurin-25-jdk-*/bin/java"), None)
    return temurin or require("java", "apt-get install default-jre-headless")


def command(dist: Path, home: Path, *arguments: str) -> list[str | Path]:
    """The JVM itself and not kc.sh, so that the child's pid is the server's. ``home`` holds its data."""
    return [
        java(),
        *_JVM_OPTIONS,
        f"-Dkc.home.dir={home}",
        f"-Djava.io.tmpdir={home}",
        "-cp",
        dist / "lib/quarkus-run.jar",
        f"{_QUARKUS}.runner.QuarkusEntryPoint",
        *arguments,
    ]


def environment(home: Path) -> dict[str, str]:
    """Nothing of the caller's: a KC_ variable of his would change the server."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "KC_BOOTSTRAP_ADMIN_CLIENT_ID": OPERATOR_ID,
        "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": OPERATOR_SECRET,
    }


def new_home(installation: Path, home: Path) -> None:
    """Lay out a home for one server: the built distribution by link, the seeded database by copy."""
    (home / "data").mkdir(parents=True)
    for name in ("lib", "conf", "providers", "themes"):
        (home / name).symlink_to(installation / "dist" / name)
    shutil.copytree(installation / "seed", home / "data/h2")


def _build(target: Path) -> None:
    with zipfile.ZipFile(_zip()) as archive:
        archive.extractall(target)
    dist = target / "dist"
    (target / f"keycloak-{VERSION}").rename(dist)
    build = command(dist, dist, "build", *_BUILD_OPTIONS)
    _run(build, env=environment(dist), what="the build of Keycloak")
    (dist / "data/import").mkdir(parents=True)
    (dist / "data/import/realm.json").write_text(json.dumps(REPRESENTATION))
    started(lambda: _start_to_seed(dist)).stop()
    (dist / "data/h2").rename(target / "seed")
    shutil.rmtree(dist / "data")


def _start_to_seed(dist: Path) -> Child:
    port = free_port()
    options = ["--cache=local", "--http-enabled=true", "--http-host=127.0.0.1", "--hostname-strict=false"]
    ports = [f"--http-port={port}", f"--http-management-port={free_port()}"]
    argv = command(dist, dist, "start", "--optimized", "--import-realm", *options, *ports)
    child = Child(argv, env=environment(dist), log=dist / "seed.log")
    url = f"http://127.0.0.1:{port}/realms/{REALM}"
    child.wait_until(
        lambda: ask("GET", url).status == 200, timeout=START_TIMEOUT_SECONDS, what="Keycloak seeded"
    )
    return child


def _zip() -> Path:
    repository = Path.home() / ".m2/repository"
    file = repository / f"org/keycloak/keycloak-quarkus-dist/{VERSION}/keycloak-quarkus-dist-{VERSION}.zip"
    if not file.exists():
        maven = require("mvn", "apt-get install maven")
        artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
        options = ["-B", "-q", f"-Dmaven.repo.local={repository}", "-Dtransitive=false"]
        fetch = [str(maven), *options, "dependency:get", artifact]
        _run(fetch, env=os.environ, what="the download of Keycloak")
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != SHA256:
        raise RuntimeError(f"{file} has the SHA-256 {digest}, expected {SHA256}: delete it and try again")
    return file


def _run(argv: Sequence[str | Path], *, env: Mapping[str, str], what: str) -> None:
    done = subprocess.run(
        argv,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_STEP_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed with {done.returncode}: {done.stdout[-_LOG_TAIL_CHARACTERS:]}")
