"""An environment without AWS, and an AWS of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.aws.imitation import Aws, running_aws
from tests.contract.fault_server import FaultServer


@pytest.fixture
def aws_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, no variable of AWS, and nobody at the address of a metadata service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def aws_keys(aws_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in an environment that has nothing else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S3CR3T-environment")


@pytest.fixture
def aws() -> Aws:
    """What AWS answers in this test."""
    return Aws()


@pytest.fixture
def aws_server(aws: Aws, aws_home: Path) -> Iterator[FaultServer]:
    """Where it answers."""
    with running_aws(aws) as server:
        yield server
