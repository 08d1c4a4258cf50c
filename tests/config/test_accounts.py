"""Users and groups of this system."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from broker.config.accounts import SystemAccounts
from broker.config.load import load
from tests.config.surroundings import MINIMAL, FakeVocabulary


def test_an_existing_account_has_its_number() -> None:
    """As the C library knows it."""
    accounts = SystemAccounts()
    assert os.geteuid() == accounts.uid(pwd.getpwuid(os.geteuid()).pw_name)
    assert os.getegid() == accounts.gid(grp.getgrgid(os.getegid()).gr_name)


def test_an_unknown_account_has_none() -> None:
    """Nor does a name that no account can have."""
    accounts = SystemAccounts()
    for name in ("nobody-has-it", "", "a\0b"):
        assert accounts.uid(name) is None
        assert accounts.gid(name) is None


def test_the_accounts_of_the_system_are_the_default(tmp_path: Path) -> None:
    """`load` needs no more than the file, the environment and the plug-ins."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    (tmp_path / "config.toml").write_text(f'{MINIMAL}allow = {{ users = ["{user}"] }}\n')
    config = load(tmp_path / "config.toml", environment={}, vocabulary=FakeVocabulary())
    assert (user,) == config.tokens["deploy"].allow.users
