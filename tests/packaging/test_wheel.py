"""What pip installs: the wheel's content, and the command running from a fresh virtual environment."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import broker
from tests.packaging.project import ROOT, run


def test_wheel_is_named_for_the_distribution(wheel: Path) -> None:
    """The distribution is token-broker, of the version that the package itself states."""
    assert f"token_broker-{broker.__version__}-py3-none-any.whl" == wheel.name


def test_wheel_holds_both_packages_typed_and_nothing_else(wheel: Path) -> None:
    """Packages broker and backends with their type markers, the licence, the command; no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    base = f"token_broker-{broker.__version__}"
    top = {name.split("/")[0] for name in names}
    assert {"broker", "backends", f"{base}.data", f"{base}.dist-info"} == top
    assert set() == {name for name in names if name.startswith("broker/bin/")}
    assert {"broker/py.typed", "backends/py.typed", f"{base}.dist-info/licenses/LICENSE"} <= names


def test_command_is_a_script_and_not_a_wrapper(wheel: Path) -> None:
    """A generated console_scripts wrapper doubles the start of `get`, so there is none."""
    archive = zipfile.ZipFile(wheel)
    base = f"token_broker-{broker.__version__}"
    assert b"#!python\n" == archive.read(f"{base}.data/scripts/token-broker")[:9]
    assert b"console_scripts" not in archive.read(f"{base}.dist-info/entry_points.txt")


def test_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    """`token-broker version` answers from a fresh environment, outside the repository."""
    command = installed / "token-broker"
    assert command.stat().st_mode & stat.S_IXUSR
    result = run(command, "version", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    assert 0 == result.returncode, result.stderr
    assert broker.__version__ in result.stdout


def test_installed_command_lists_plugins_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    """First-party plug-ins come in through entry points, so an installed wheel must carry them."""
    result = run(installed / "token-broker", "plugins", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    assert 0 == result.returncode, result.stderr
    for name in ("vault", "aws-secrets-manager", "file", "client_secret_basic", "client_secret_post"):
        assert name in result.stdout


def test_isolated_command_ignores_pythonpath(installed: Path, tmp_path: Path) -> None:
    """R-159: units and image start `python -I token-broker`: PYTHONPATH puts nothing in front of our code."""
    (tmp_path / "broker.py").write_text("raise SystemExit('hijacked')")
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    result = run(installed / "python", "-I", installed / "token-broker", "version", cwd=tmp_path, env=env)
    assert 0 == result.returncode, result.stderr


def test_script_in_the_repository_is_executable() -> None:
    """Pip marks its copy, but a person may run the script from the checkout."""
    assert (ROOT / "broker/bin/token-broker").stat().st_mode & stat.S_IXUSR
