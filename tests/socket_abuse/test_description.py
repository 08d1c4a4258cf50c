"""The API is what its description says: schemathesis plays the one against the other, through the socket (R-142).

It makes requests that follow the description and requests that break it, and holds every answer against it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error, positive_data_acceptance
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.server import openapi
from tests.daemon.running import Daemon, local_tables, store
from tests.scale import scaled
from tests.socket_abuse.unix_http import session

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
DURATION = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?(ms|s|m|h|d)?", re.ASCII)
# What may be described and still be no 2xx: 503 says why a token cannot be had, 429 that there were enough.
UNFIT = [not_a_server_error, positive_data_acceptance]


@pytest.fixture(scope="module")
def to_daemon() -> Iterator[requests.Session]:
    """Requests to a daemon whose token is fresh."""
    with (
        tempfile.TemporaryDirectory(prefix="tb-") as name,
        DevelopmentAuthorizationServer(marker="S3CR3T-", token_format="jwt") as server,
    ):
        store(Path(name), server.register("deploy", lifetime_seconds=3600).reveal())
        with Daemon(Path(name), local_tables(server, Path(name))) as daemon:
            daemon.wait_for(state="fresh")
            with session(daemon.socket) as found:
                yield found


DESCRIPTION = json.loads(openapi.document())
API = schemathesis.openapi.from_dict(DESCRIPTION).exclude(path="/v1/watch")  # it ends only with its reader
OPERATIONS = {found.ok().label: found.ok() for found in API.get_all_operations() if isinstance(found, Ok)}
PARAMETERS = {label for label in OPERATIONS if "{name}" in label}


def test_it_is_served(to_daemon: requests.Session) -> None:
    """What is played below is what the daemon says of itself, the stream apart."""
    assert len(DESCRIPTION["paths"]) == len(OPERATIONS) + 1
    assert DESCRIPTION == to_daemon.get("http://localhost/v1/openapi.json").json()


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        *((label, GenerationMode.POSITIVE) for label in OPERATIONS),
        *((label, GenerationMode.NEGATIVE) for label in sorted(PARAMETERS)),
    ],
)
def test_each_answer_is_described(label: str, mode: GenerationMode, to_daemon: requests.Session) -> None:
    """Status, media type and members, for what is asked rightly and wrongly; what is asked wrongly is refused."""

    @settings(
        max_examples=scaled(short=100, whole=1000),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(OPERATIONS[label].as_strategy(generation_mode=mode), st.booleans())
    def play(case: schemathesis.Case[Any], known: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        if known and NAME.fullmatch(str(case.path_parameters.get("name"))):
            case.path_parameters["name"] = "deploy"
        if DURATION.fullmatch(str(case.query.get("wait"))):
            case.query["wait"] = "1ms"  # so that the longest of waits do not add up
        response = case.call(base_url="http://localhost", session=to_daemon)
        statuses[response.status_code] += 1
        case.validate_response(response, excluded_checks=UNFIT)

    statuses: Counter[int] = Counter()
    play()
    assert 500 not in statuses
