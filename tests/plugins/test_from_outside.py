"""What an operator is told about a plug-in, by the command that was run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from broker.api import API_VERSION
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, run_verb, store
from tests.faults.daemons import authorization_server, token
from tests.plugins.site import BACKENDS, CLIENT_AUTH, GOOD_MODULE, SINKS, distribution

ACME = """
[secret_backends.acme]
type = "acme"
"""
WHO = "plug-in 'acme' (acme_module:plugin of acme-vault)"
ENTRY = {BACKENDS: ["acme = acme_module:plugin"]}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where third parties' distributions are installed."""
    return tmp_path / "site"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose only token has its secret in a backend of type acme."""
    path = tmp_path / "config.toml"
    path.write_text(
        f"""
[broker]
runtime_dir = "{tmp_path}/run"
state_dir = "{tmp_path}/state"

[authorization_servers.odc]
token_endpoint = "https://tenant.example/token"
{ACME}{token("deploy", backend="acme")}"""
    )
    return path


def faults(verb: str, config: Path, site: Path) -> str:
    """Answer what the verb prints on standard error; it ends with 78."""
    run = run_verb(verb, "--config", config, extra={"PYTHONPATH": str(site)})
    assert (78, "") == (run.returncode, run.stdout), run.stderr
    return run.stderr


@pytest.mark.parametrize("verb", ["run", "check", "once"])
def test_unknown_type_lists_what_is_installed(config: Path, site: Path, verb: str) -> None:
    """With the nearest name first."""
    distribution(site, "acme-vault", {BACKENDS: ["acne = acme_module:plugin"]})
    assert (
        "secret_backends.acme.type: no plug-in of that name is installed, there are acne, aws-secrets-manager, "
        'file, vault; did you mean "acne"?\n'
    ) == faults(verb, config, site)


@pytest.mark.parametrize("verb", ["run", "check", "once"])
def test_two_distributions_with_one_name_are_both_named(config: Path, site: Path, verb: str) -> None:
    """Which one would win is chance."""
    distribution(site, "acme-vault", ENTRY, acme_module=GOOD_MODULE.format(more=""))
    distribution(site, "acme-store", ENTRY)
    assert (
        "secret_backends.acme.type: secret backend 'acme' is installed twice, by acme-store and acme-vault: "
        "uninstall one of them\n"
    ) == faults(verb, config, site)


@pytest.mark.parametrize("verb", ["run", "check", "once"])
@pytest.mark.parametrize(("offset", "whom"), [(-1, "plug-in"), (1, "token-broker")])
def test_other_api_version_says_what_to_update(
    config: Path, site: Path, offset: int, whom: str, verb: str
) -> None:
    """The older of the two has to move."""
    more = f", api_version={API_VERSION + offset}"
    distribution(site, "acme-vault", ENTRY, acme_module=GOOD_MODULE.format(more=more))
    versions = f"speaks plug-in API {API_VERSION + offset}, this broker {API_VERSION}: update the {whom}"
    assert f"secret_backends.acme.type: {WHO} {versions}\n" == faults(verb, config, site)


@pytest.mark.parametrize("verb", ["run", "check", "once"])
def test_missing_library_is_named(config: Path, site: Path, verb: str) -> None:
    """The operator did not write the plug-in and has never heard of what it imports."""
    distribution(site, "acme-vault", ENTRY, acme_module="import acme_sdk.http\n")
    cause = "it needs the library 'acme_sdk', which is not installed: install it where token-broker is"
    assert f"secret_backends.acme.type: {WHO} cannot be imported: {cause}\n" == faults(verb, config, site)


def test_declared_capability_without_its_method_is_told_at_load(config: Path, site: Path) -> None:
    """Not when it is missed, in the night."""
    more = ', capabilities=frozenset({"versions", "cheap_version_check"})'
    distribution(site, "acme-vault", ENTRY, acme_module=GOOD_MODULE.format(more=more))
    told = "declares cheap_version_check, versions and lacks version(): report it to its author"
    assert f"secret_backends.acme.type: {WHO} {told}\n" == faults("run", config, site)


def test_plugin_that_fails_to_import_takes_down_only_what_uses_it(
    tmp_path: Path, site: Path, server: DevelopmentAuthorizationServer
) -> None:
    """The neighbour is minted and published; the cause is in the log at the start, in status, and in `check`."""
    store(tmp_path, server.register("deploy").reveal())
    distribution(
        site,
        "acme-vault",
        {**ENTRY, SINKS: ["acme-sink = acme_module:sink"]},
        acme_module="raise RuntimeError('out of order')\n",
    )
    sink = '\n[[tokens.deploy.sinks]]\ntype = "acme-sink"\nanything = "goes"\n'
    tables = local_tables(server, tmp_path) + sink + ACME + token("unlucky", backend="acme", client="unlucky")
    environment = {"PYTHONPATH": str(site)}
    cause = f"{WHO} cannot be imported: RuntimeError: out of order"
    with Daemon(tmp_path, tables, extra=environment) as daemon:
        daemon.wait_for(state="fresh", revision=1)
        unlucky = daemon.wait_for(name="unlucky", condition="misconfigured", state="absent")
        assert cause in unlucky["reason"]
        assert "plug-in 'acme-sink'" in daemon.wait_for(condition="publish_failed")["reason"]
        assert 200 == daemon.ops("/readyz")[0]
        warnings = [line["message"] for line in daemon.lines("life_cycle")]
        assert f"secret_backends.acme.type: {cause}" in warnings
        check = run_verb("check", "--config", daemon.config, extra=environment)
    assert 78 == check.returncode
    assert f"secret_backends.acme.type: {cause}\n" in check.stderr
    assert "tokens.deploy.sinks[0].type: plug-in 'acme-sink'" in check.stderr


def test_client_authentication_that_cannot_be_used_takes_down_only_its_tokens(
    tmp_path: Path, site: Path, server: DevelopmentAuthorizationServer
) -> None:
    """It is loaded at the first mint, and by `check`."""
    store(tmp_path, server.register("deploy").reveal())
    entry = {CLIENT_AUTH: ["acme_jwt = acme_module:plugin"]}
    distribution(site, "acme-vault", entry, acme_module="import acme_sdk\n")
    tables = local_tables(server, tmp_path) + authorization_server(
        "other", server.discovery_url, server.issuer, trust="allow_insecure_loopback = true"
    )
    tables += 'token_endpoint_auth_method = "acme_jwt"\n' + token("unlucky", server="other")
    environment = {"PYTHONPATH": str(site)}
    cause = "plug-in 'acme_jwt' (acme_module:plugin of acme-vault) cannot be imported: it needs the library 'acme_sdk'"
    with Daemon(tmp_path, tables, extra=environment) as daemon:
        daemon.wait_for(state="fresh", revision=1)
        assert cause in daemon.wait_for(name="unlucky", condition="misconfigured")["reason"]
        check = run_verb("check", "--config", daemon.config, extra=environment)
    assert 78 == check.returncode
    assert f"authorization_servers.other.token_endpoint_auth_method: {cause}" in check.stderr


def test_repaired_plugin_is_used_after_a_reload(
    tmp_path: Path, site: Path, server: DevelopmentAuthorizationServer
) -> None:
    """Nobody has to restart the others' daemon for it."""
    secret = server.register("deploy").reveal()
    store(tmp_path, secret)
    distribution(site, "acme-vault", ENTRY, acme_module="import acme_sdk\n")
    tables = local_tables(server, tmp_path) + ACME + token("lucky", backend="acme")
    with Daemon(tmp_path, tables, extra={"PYTHONPATH": str(site)}) as daemon:
        daemon.wait_for(name="lucky", condition="misconfigured")
        (site / "acme_module.py").write_text(GOOD_MODULE.format(more="").replace("S3CR3T-acme", secret))
        os.kill(daemon.pid, signal.SIGHUP)
        daemon.wait_for(name="lucky", state="fresh")


def test_list_shows_origin_capabilities_and_what_is_broken(site: Path) -> None:
    """A table for people, objects for programs; a module that prints spoils neither."""
    good = GOOD_MODULE.format(more=', capabilities=frozenset({"versions"})') + "print('imported')\n"
    distribution(site, "acme-vault", ENTRY, acme_module=good)
    distribution(site, "acme-broken", {SINKS: ["acme = acme_broken:sink"]}, acme_broken="import acme_sdk\n")
    extra = {"PYTHONPATH": str(site)}
    listed = json.loads(run_verb("plugins", "--json", extra=extra).stdout)
    told = "cannot be imported: it needs the library 'acme_sdk', which is not installed"
    expected = {
        "kind": "secret_backend",
        "name": "acme",
        "distribution": "acme-vault",
        "version": "1.2",
        "origin": "acme_module:plugin",
        "capabilities": ["versions"],
        "problem": None,
    }
    assert expected in listed
    broken = next(each for each in listed if each["distribution"] == "acme-broken")
    assert told in broken["problem"]
    table = run_verb("plugins", extra=extra).stdout.splitlines()
    assert ["KIND", "NAME", "DISTRIBUTION", "VERSION", "ORIGIN", "CAPABILITIES"] == table[0].split()
    rows = {tuple(line.split()[:5]): line for line in table[1:]}
    assert len(rows) == len(listed)
    assert rows["secret_backend", "acme", "acme-vault", "1.2", "acme_module:plugin"].endswith("  versions")
    assert told in rows["sink", "acme", "acme-broken", "1.2", "acme_broken:sink"]
