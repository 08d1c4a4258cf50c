"""AWS's standard chain of credentials, and the role that is assumed with what it finds.

Owns: which sources there are, and that each is asked once, past proxies, and without asking a person. Refuses to
know: keys; botocore reads, renews and keeps them.

Of AWS's variables these count: keys, session token, web identity, container. Files of tokens that they name are
read again at each renewal (R-109). The shared files in ~/.aws serve as sources, with the profile of the options,
else their default one.
"""

from __future__ import annotations

from typing import Any, NoReturn

import botocore.credentials
import botocore.httpsession
from botocore.exceptions import NoCredentialsError
from botocore.utils import ContainerMetadataFetcher

from backends.aws_secrets_manager.options import SecretsManagerOptions

METADATA_SECONDS = 1.0
"""A metadata service is on the same host or it is not there."""
SESSION_NAME = "token-broker"
"""What CloudTrail shows beside the assumed role."""


class PersonWantedError(Exception):
    """A profile asks for a code that somebody has to type."""


def provider(session: Any, options: SecretsManagerOptions) -> Any:
    """What the session asks for credentials."""
    found = chain(session, options.region)
    return found if options.role_arn is None else _AssumedRole(found, session, options)


def chain(session: Any, region: str | None) -> Any:
    """The standard chain of sources, without what the environment would change about it."""
    sources = botocore.credentials.create_credential_resolver(session, region_name=region)
    for name in ("ec2-credentials-file", "boto-config"):  # of boto 2, named by variables that do not count
        sources.remove(name)
    # There is no public way to any of these: its own session takes the proxies of the environment, ...
    metadata = sources.get_provider("iam-role")._role_fetcher  # noqa: SLF001
    metadata._session = botocore.httpsession.URLLib3Session(timeout=METADATA_SECONDS)  # noqa: SLF001
    # ... this one tries three times, ...
    sources.get_provider("container-role")._fetcher = _ContainerEndpoint()  # noqa: SLF001
    # ... and this one reads from the terminal.
    sources.get_provider("assume-role")._prompter = _nobody_is_there  # noqa: SLF001
    return sources


class _ContainerEndpoint(ContainerMetadataFetcher):  # type: ignore[misc] # botocore has no types
    RETRY_ATTEMPTS = 1

    def __init__(self) -> None:
        super().__init__(sleep=lambda _: None)


class _AssumedRole:
    """Looks like botocore's own chain to a session."""

    def __init__(self, sources: Any, session: Any, options: SecretsManagerOptions) -> None:
        self._sources = sources
        self._session = session
        self._options = options

    def load_credentials(self) -> Any:
        ours = self._sources.load_credentials()
        if ours is None:
            raise NoCredentialsError
        arguments = {"RoleSessionName": SESSION_NAME}
        if self._options.external_id is not None:
            arguments["ExternalId"] = self._options.external_id
        fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
            client_creator=self._create_client,
            source_credentials=ours,
            role_arn=self._options.role_arn,
            extra_args=arguments,
        )
        return botocore.credentials.DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )

    def _create_client(self, service: str, **arguments: Any) -> Any:
        return self._session.create_client(service, region_name=self._options.region, **arguments)


def _nobody_is_there(_: str) -> NoReturn:
    raise PersonWantedError
