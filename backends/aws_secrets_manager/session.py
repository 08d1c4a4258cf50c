"""boto3 at the boundary: a Secrets Manager client that takes nothing from the environment but credentials.

Owns: every setting that botocore would otherwise take from variables, profiles or its own changing defaults
(R-059, R-060, R-112). Refuses to know: secrets.

Of AWS's variables these count: keys, session token, web identity, container. The shared files in ~/.aws serve
as sources of credentials, with their default profile.
"""

from __future__ import annotations

import logging
from typing import Any

import boto3.session
import botocore.configprovider
import botocore.credentials
import botocore.httpsession
import botocore.session
from botocore.config import Config

from backends.aws_secrets_manager.options import SecretsManagerOptions

MOST_CONNECTIONS = 4
METADATA_SECONDS = 1.0
"""An instance metadata service is on the same host or it is not there."""


def new_client(options: SecretsManagerOptions, *, timeout_seconds: float) -> Any:
    """A client that makes one attempt a call; costs 100 ms, and creating two at once is not safe."""
    _quieten()
    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=MOST_CONNECTIONS,
        proxies={},
        tcp_keepalive=True,
        defaults_mode="legacy",
        ignore_configured_endpoint_urls=True,
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )
    session = botocore.session.Session(session_vars=_constants())
    session.set_default_client_config(config)  # for the clients that sources of credentials make
    session.register_component("credential_provider", credentials(session, options.region))
    return boto3.session.Session(botocore_session=session).client(
        "secretsmanager",
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        verify=True,
        config=config,
    )


def _quieten() -> None:
    """At DEBUG botocore prints the answer's body, which holds the secret."""
    for name in ("boto3", "botocore", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


def _constants() -> dict[str, tuple[None, None, Any, Any]]:
    """The variables of botocore with their defaults, out of reach of environment and configuration file."""
    variables = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    return {
        name: (None, None, default, convert) for name, (_file, _env, default, convert) in variables.items()
    }


def credentials(session: Any, region: str | None) -> Any:
    """The standard chain of sources, without what the environment would change about it."""
    chain = botocore.credentials.create_credential_resolver(session, region_name=region)
    for name in ("ec2-credentials-file", "boto-config"):  # of boto 2, named by variables that do not count
        chain.remove(name)
    # There is no public way to keep the metadata service's session off the proxies of the environment.
    fetcher = chain.get_provider("iam-role")._role_fetcher  # noqa: SLF001
    fetcher._session = botocore.httpsession.URLLib3Session(timeout=METADATA_SECONDS)  # noqa: SLF001
    return chain
