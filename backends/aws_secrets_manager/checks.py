"""What the types of the options cannot express: keys that need or exclude each other, names that AWS would refuse.

Owns: the faults, each with the key and the fix. Refuses to know: files and networks; what is missing there is a
condition at run time.
"""

from __future__ import annotations

import re

from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import Fault

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def check(options: SecretsManagerOptions) -> tuple[Fault, ...]:
    """Every fault, with paths relative to the table."""
    return tuple(_faults(options))


def _faults(options: SecretsManagerOptions) -> list[Fault]:
    faults = [*_region(options.region)]
    if options.profile is not None and not options.profile.strip():
        faults.append(Fault("profile", "must be the name of a profile; leave it out to use none"))
    if options.role_arn is not None and not _ROLE_ARN.fullmatch(options.role_arn):
        example = "arn:aws:iam::123456789012:role/token-broker"
        faults.append(Fault("role_arn", f'must be the whole ARN of a role, such as "{example}"'))
    if options.external_id is not None:
        if options.role_arn is None:
            faults.append(Fault("external_id", "has no effect without role_arn: add that, or take this out"))
        if not _EXTERNAL_ID.fullmatch(options.external_id):
            faults.append(Fault("external_id", "must be 2 to 1224 letters, digits or any of _+=,.@:/-"))
    if options.endpoint_url is not None:
        for key in ("use_fips", "use_dualstack"):
            if getattr(options, key):
                why = "chooses among the region's own endpoints, and endpoint_url names another"
                faults.append(Fault(key, f"{why}: take one of the two out"))
    return faults


def _region(region: str | None) -> list[Fault]:
    if region is None:
        why = 'required: the AWS region that holds the secrets, such as "eu-west-1"'
        return [Fault("region", f"{why}; AWS_REGION and profiles have no effect")]
    if not _REGION.fullmatch(region):
        return [Fault("region", 'not the name of an AWS region, such as "eu-west-1"')]
    return []
