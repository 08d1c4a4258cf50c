"""AWS credentials for signing a login, and the host of STS in a region; both from botocore.

Owns: a botocore session that takes nothing from the environment but credentials. Refuses to know: what is signed.
Of AWS's variables these count: keys, session token, web identity, container; ~/.aws with its default profile.
"""

from __future__ import annotations

import logging
from typing import Any

import botocore.configprovider
import botocore.credentials
import botocore.httpsession
import botocore.session
from botocore.config import Config

SOURCE_SECONDS = 2.0
"""A metadata service is on the same host; STS for a web identity takes a second at most."""

GLOBAL_REGION = "us-east-1"
"""Its requests go to the global endpoint, which is the one that Vault asks unless its sts_endpoint says otherwise."""
DOMAINS = {
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
}


class AwsCredentials:
    """For one login."""

    def __init__(self, region: str) -> None:
        for name in ("botocore", "urllib3"):  # at DEBUG botocore prints what it signs
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
        self._region = region
        self._session = _session(region)

    def frozen(self) -> Any:
        """Key, secret key and session token of one moment; None if there are no credentials."""
        credentials = self._session.get_credentials()
        return None if credentials is None else credentials.get_frozen_credentials()

    def sts_host(self) -> str:
        """Where this region asks who is calling. Raises UnknownRegionError."""
        if self._region == GLOBAL_REGION:
            return "sts.amazonaws.com"
        partition = self._session.get_partition_for_region(self._region)
        return f"sts.{self._region}.{DOMAINS.get(partition, 'amazonaws.com')}"


def _session(region: str) -> Any:
    variables = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    constants = {
        name: (None, None, default, convert) for name, (_file, _env, default, convert) in variables.items()
    }
    session = botocore.session.Session(session_vars=constants)
    session.set_default_client_config(
        Config(
            connect_timeout=SOURCE_SECONDS,
            read_timeout=SOURCE_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            proxies={},
            ignore_configured_endpoint_urls=True,
        )
    )
    chain = botocore.credentials.create_credential_resolver(session, region_name=region)
    for name in ("ec2-credentials-file", "boto-config"):  # of boto 2, named by variables that do not count
        chain.remove(name)
    # There is no public way to keep the metadata service's session off the proxies of the environment.
    fetcher = chain.get_provider("iam-role")._role_fetcher  # noqa: SLF001
    fetcher._session = botocore.httpsession.URLLib3Session(timeout=SOURCE_SECONDS)  # noqa: SLF001
    session.register_component("credential_provider", chain)
    return session
