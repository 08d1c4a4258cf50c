"""The adapters with the libraries they are for, against an API that demands the current token."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from broker.client import BotocoreAuth, BrokerUnreachable, HttpxAuth, TokenClient, aio
from tests.client.fake_broker import FakeBroker, fake_broker
from tests.client.libraries import HTTPX, Post, each_library, with_requests
from tests.client.resource_server import ResourceServer, resource_server


@pytest.fixture
def broker(socket_file: Path) -> Iterator[FakeBroker]:
    """With the token `deploy`."""
    with fake_broker(socket_file) as running:
        yield running


@pytest.fixture
def api(broker: FakeBroker) -> Iterator[ResourceServer]:
    """Demands the current one."""
    with resource_server(broker) as running:
        yield running


@pytest.fixture
def client(broker: FakeBroker) -> Iterator[TokenClient]:
    """Reads the broker."""
    client = TokenClient(str(broker.path))
    yield client
    client.close()


@each_library
def test_the_token_is_in_the_header(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """As RFC 6750 2.1 has it."""
    assert 200 == post(api.url, client, b"body")
    assert [("POST", "/", f"Bearer {broker.token()}", b"body")] == api.requests


@each_library
def test_a_refused_token_is_reported_once_and_its_successor_tried_once(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """With the same body; the caller sees the second answer only."""
    refused = broker.token()
    api.refused.add(refused)
    assert 200 == post(api.url, client, b"body")
    assert [refused, broker.token()] == api.tokens()
    assert [b"body"] * 2 == [body for *_, body in api.requests]
    assert 1 == len(broker.reports)
    assert {"fingerprint", "requested_at"} == set(broker.reports[0])


@each_library
def test_a_token_that_was_replaced_meanwhile_is_replaced_here(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """The broker had renewed it already; the held one was refused."""
    old = client.get("deploy").access_token
    broker.renew()
    assert 200 == post(api.url, client, None)
    assert broker.token() == api.tokens()[-1]
    assert set(api.tokens()) <= {old, broker.token()}
    assert 2 == broker.revisions["deploy"]


@each_library
def test_a_second_refusal_is_the_callers(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """Whoever lacks a right gets no token that has it."""
    api.refused |= {f"S3CR3T-deploy.revision-{revision}" for revision in range(1, 9)}
    assert 401 == post(api.url, client, None)
    assert (2, 1) == (len(api.requests), len(broker.reports))


@each_library
@pytest.mark.parametrize(
    "answer", [(429, {"code": "rate_limited"}), (200, {"outcome": "too_old"}), (200, {}), (503, {})]
)
def test_without_a_successor_the_refusal_stands(
    api: ResourceServer,
    broker: FakeBroker,
    client: TokenClient,
    post: Post,
    answer: tuple[int, dict[str, object]],
) -> None:
    """The API's answer says more than the broker's trouble would."""
    api.refused.add(broker.token())
    broker.reject_answer = answer
    assert 401 == post(api.url, client, None)
    assert 1 == len(api.requests)


@each_library
def test_a_mint_that_fails_does_not_hold_the_refusal_back_for_long(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """`patience` bounds it."""
    api.refused.add(broker.token())
    broker.mints_on_reject = False
    assert 401 == post(api.url, client, None)
    assert 1 == len(api.requests)


@each_library
def test_a_stream_is_not_sent_twice(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """Its second half would be missing; the report is made, so that the caller's own retry succeeds."""
    api.refused.add(broker.token())
    assert 401 == post(api.url, client, (part for part in (b"bo", b"dy")))
    assert (1, 1) == (len(api.requests), len(broker.reports))


@each_library
def test_a_strangers_refusal_costs_nothing(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """After a redirect to another host, which gets no token: its 401 condemns none, and is not answered with one."""
    with resource_server(broker) as stranger:
        assert 401 == post(f"{api.url}/elsewhere?{stranger.url}/", client, None)
    assert ([None], []) == (stranger.tokens(), broker.reports)


@each_library
def test_without_a_broker_no_request_is_made(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, post: Post
) -> None:
    """The typed error reaches the caller through the library."""
    with pytest.raises(BrokerUnreachable):
        post(api.url, TokenClient(f"{broker.path}-none"), None)
    assert [] == api.requests


def test_a_file_is_wound_back_for_the_second_try(
    api: ResourceServer, broker: FakeBroker, client: TokenClient
) -> None:
    """Requests remembers where it began."""
    api.refused.add(broker.token())
    file = io.BytesIO(b"skipped body")
    file.seek(8)
    assert 200 == with_requests(api.url, client, file)
    assert [b"body"] * 2 == [body for *_, body in api.requests]


@pytest.mark.parametrize("library", HTTPX)
def test_one_authentication_serves_both_kinds_of_client(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, library: str
) -> None:
    """Whichever token client it was given."""
    httpx = import_module(library)
    auth = HttpxAuth("deploy", client)
    assert isinstance(auth, httpx.Auth)

    async def asynchronously() -> int:
        async with httpx.AsyncClient(auth=auth) as session:
            return int((await session.get(api.url)).status_code)

    with httpx.Client(auth=HttpxAuth("deploy", aio.TokenClient(str(broker.path)))) as session:
        assert 200 == session.get(api.url).status_code
    assert 200 == asyncio.run(asynchronously())


@pytest.mark.parametrize(("refused", "expected"), [(1, 200), (9, 401)])
def test_botocore_makes_its_second_attempt_with_the_successor(
    api: ResourceServer, broker: FakeBroker, client: TokenClient, refused: int, expected: int
) -> None:
    """One more attempt, and the header where a signature would be."""
    api.refused |= {f"S3CR3T-deploy.revision-{revision}" for revision in range(1, refused + 1)}
    first = broker.token()
    s3 = boto3.client(
        "s3",
        endpoint_url=api.url,
        region_name="eu-west-1",
        config=Config(signature_version=botocore.UNSIGNED, s3={"addressing_style": "path"}),
    )
    BotocoreAuth("deploy", client, patience=0.2).register(s3.meta.events)
    try:
        status = s3.put_object(Bucket="b", Key="k", Body=b"body")["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    finally:
        s3.close()
    assert expected == status
    assert [first, broker.token()] == api.tokens()
    assert 1 == len(broker.reports)
