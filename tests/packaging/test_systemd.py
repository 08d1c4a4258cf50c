"""The systemd files: the unit verifies, keeps its sandbox, and the example configuration is valid."""

from __future__ import annotations

import grp
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cache import require
from tests.packaging.project import BIN, ROOT, run

UNIT = ROOT / "systemd/token-broker.service"
INTERPRETER = "/opt/token-broker/bin/python"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as shipped, but for an interpreter that exists on this machine."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert f"ExecStart={INTERPRETER} -I " in text
    copy.write_text(text.replace(f"ExecStart={INTERPRETER}", f"ExecStart={sys.executable}"))
    return copy


@pytest.fixture(scope="module")
def analyze() -> Path:
    """The program systemd-analyze."""
    return require("systemd-analyze", "apt-get install systemd")


def values(name: str) -> list[str]:
    """Answer the values of one setting of the shipped unit, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_unit_verifies(analyze: Path, unit: Path) -> None:
    """`systemd-analyze verify` knows every setting and has no complaint."""
    result = run(analyze, "verify", "--man=no", unit)
    assert (0, "") == (result.returncode, result.stderr)


def test_unit_is_hardly_exposed(analyze: Path, unit: Path) -> None:
    """R-161: the sandbox scores 1.5 or better."""
    result = run(analyze, "security", "--offline=yes", "--threshold=15", "--no-pager", unit)
    assert 0 == result.returncode, result.stdout + result.stderr


def test_unit_keeps_tokens_and_tries_forever() -> None:
    """R-148: published tokens outlive the process, and no number of crashes ends the restarts."""
    assert ["yes"] == values("RuntimeDirectoryPreserve")
    assert ["always"] == values("Restart")
    assert ["0"] == values("StartLimitIntervalSec")


def test_unit_keeps_secrets_in_memory() -> None:
    """R-164: neither a core dump nor swap may hold a secret, and files are private unless configured."""
    assert [["0"], ["0"], ["0077"]] == [values(name) for name in ("LimitCORE", "MemorySwapMax", "UMask")]


def test_unit_lets_the_broker_see_its_peers() -> None:
    """R-161: with PrivateUsers every peer of the socket would be uid 65534."""
    assert ["no"] == values("PrivateUsers")


def test_unit_permits_giving_a_file_to_a_group() -> None:
    """R-162: @privileged holds @chown, which `group =` needs, so it is allowed again after the exclusion."""
    assert ["@system-service", "~@privileged @resources", "@chown"] == values("SystemCallFilter")


def test_user_of_the_unit_is_created() -> None:
    """sysusers.d makes the unit's user, and puts it into the group that the example gives the socket to."""
    lines = [line.split() for line in (ROOT / "systemd/token-broker.sysusers").read_text().splitlines()]
    assert values("User") == [line[1] for line in lines if line[0] == "u"]
    assert ["m", "token-broker", "token-readers"] in lines


def test_example_configuration_is_valid(tmp_path: Path) -> None:
    """`token-broker check` accepts the shipped example, with a group and credential files that exist here."""
    here = grp.getgrgid(os.getgid()).gr_name
    config = tmp_path / "config.toml"
    for name in ("role-id", "secret-id"):
        (tmp_path / name).touch(mode=0o600)
    example = (ROOT / "systemd/examples/config.toml").read_text()
    config.write_text(example.replace("token-readers", here).replace("/etc/token-broker/", f"{tmp_path}/"))
    env = {"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    result = run(sys.executable, "-I", BIN / "token-broker", "check", "--config", config, env=env)
    assert 0 == result.returncode, result.stdout + result.stderr
