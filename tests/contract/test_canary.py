"""The search for secrets is at work where backends are tested: libraries at DEBUG, and what real servers made up."""

from __future__ import annotations

import logging

import pytest

from broker.telemetry.logs import LIBRARIES
from broker.testing.conditions import unpinned_loggers
from tests import canary
from tests.servers.openbao import OpenBao


@pytest.mark.parametrize("library", [*LIBRARIES, "backends.vault", "acme_secrets"])
def test_records_of_unpinned_libraries_are_searched(library: str) -> None:
    """The contract lets every logger speak at DEBUG; what the broker pins is found there as well."""
    logger = logging.getLogger(f"{library}.anything")
    with unpinned_loggers():
        logger.debug("found %s", "S3CR3T-in-a-library")
    (found,) = canary.taken()
    assert f"log record of {library}.anything (DEBUG)" in found


def test_what_openbao_makes_up_is_known_by_its_shape(openbao: OpenBao) -> None:
    """A Vault token and a secret-id, which no test can mark."""
    token = openbao.create_token(["default"])
    role = openbao.approle(["default"])
    for secret in (token, role.secret_id):
        logging.getLogger("hvac").error("sent %s", secret)
    logging.getLogger("hvac").error("sent %s", role.role_id)
    assert 2 == len(canary.taken())
