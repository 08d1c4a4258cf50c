"""Plug-ins are found by name, and everything that can be wrong with one is said in a sentence."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from broker.api import API_VERSION, SecretBackendPlugin
from broker.errors import PluginError
from broker.plugins import PluginInfo, Plugins
from tests.plugins.site import BACKENDS, GOOD_MODULE, SINKS, distribution

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution on the path: its entry points as `group -> lines`, and the source of its modules."""

    def install(name: str, entry_points: Mapping[str, list[str]], **modules: str) -> None:
        for module in modules:
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(distribution(tmp_path / name, name, entry_points, **modules)))

    return install


def complaint(name: str) -> str:
    """Answer what is said about the secret backend of this name."""
    with pytest.raises(PluginError) as caught:
        Plugins().secret_backend(name)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_third_party_backend_is_found_by_its_name(install: Install) -> None:
    """A distribution with one entry point adds a backend."""
    install("acme-vault", {BACKENDS: ["acme = acme_good:plugin"]}, acme_good=GOOD_MODULE.format(more=""))
    assert isinstance(Plugins().secret_backend("acme"), SecretBackendPlugin)


def test_what_was_found_is_not_looked_for_again(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is taken away under a running broker takes nothing from it."""
    install("acme-vault", {BACKENDS: ["acme = acme_gone:plugin"]}, acme_gone=GOOD_MODULE.format(more=""))
    plugins = Plugins()
    found = plugins.secret_backend("acme")
    shutil.rmtree(tmp_path / "acme-vault")
    monkeypatch.delitem(sys.modules, "acme_gone")
    assert found is plugins.secret_backend("acme")


@pytest.mark.parametrize("name", ["vault", "aws-secrets-manager", "file"])
def test_first_party_backends_come_through_the_same_door(name: str) -> None:
    """Ours have no other way in than an entry point."""
    assert isinstance(Plugins().secret_backend(name), SecretBackendPlugin)


def test_unknown_name_lists_what_is_installed(install: Install) -> None:
    """A typing mistake is answered with the nearest name and all names."""
    install("acme-vault", {BACKENDS: ["acme-store = acme_good:plugin"]})
    said = complaint("acme-stroe")
    assert "unknown secret backend 'acme-stroe'; did you mean 'acme-store'? installed: acme-store, " in said


def test_name_claimed_by_two_distributions_names_both(install: Install) -> None:
    """Which one would win is chance, so neither does."""
    install("acme-one", {BACKENDS: ["acme = acme_one:plugin"]})
    install("acme-two", {BACKENDS: ["acme = acme_two:plugin"]})
    expected = "secret backend 'acme' is installed twice, by acme-one and acme-two: uninstall one of them"
    assert expected == complaint("acme")


@pytest.mark.parametrize(("offset", "whom"), [(-1, "plug-in"), (1, "token-broker")])
def test_other_api_version_says_what_to_update(install: Install, offset: int, whom: str) -> None:
    """The older of the two has to move."""
    source = GOOD_MODULE.format(more=f", api_version={API_VERSION + offset}")
    install("acme-vault", {BACKENDS: ["acme = acme_versioned:plugin"]}, acme_versioned=source)
    assert complaint("acme").endswith(
        f"speaks plug-in API {API_VERSION + offset}, this broker {API_VERSION}: update the {whom}"
    )


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_library.part", "it needs the library 'no_such_library', which is not installed: "),
        ("from json import no_such_name", "ImportError: cannot import name 'no_such_name' from 'json'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def (", "SyntaxError: "),
        ("import acme_broken.part", "there is no module acme_broken.part"),
        ("", "AttributeError: module 'acme_broken' has no attribute 'plugin'"),
    ],
)
def test_failing_import_is_explained(install: Install, source: str, cause: str) -> None:
    """The cause is named, with the module and the distribution it belongs to; a module that exits ends nothing."""
    install("acme-vault", {BACKENDS: ["acme = acme_broken:plugin"]}, acme_broken=f"{source}\n")
    expected = f"plug-in 'acme' (acme_broken:plugin of acme-vault) cannot be imported: {cause}"
    assert complaint("acme").startswith(expected)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            ', capabilities=frozenset({"cheap_version_check"})',
            "declares cheap_version_check and lacks version(): report it to its author",
        ),
        (
            ', capabilities=frozenset({"leases"})',
            "declares leases; there are versions, cheap_version_check, batch, expiry: report it to its author",
        ),
        (', capabilities=["versions"]', "has no frozenset as `capabilities`: report it to its author"),
    ],
)
def test_what_is_declared_and_missing_is_told_before_use(install: Install, more: str, words: str) -> None:
    """Capabilities are declared, never probed: so a declaration has to be true."""
    install("acme-vault", {BACKENDS: ["acme = acme_odd:plugin"]}, acme_odd=GOOD_MODULE.format(more=more))
    assert complaint("acme").endswith(words)


def test_options_that_are_no_struct_are_told(install: Install) -> None:
    """The table could not be decoded."""
    source = GOOD_MODULE.format(more="").replace("options=Options", "options=dict")
    install("acme-vault", {BACKENDS: ["acme = acme_odd:plugin"]}, acme_odd=source)
    assert complaint("acme").endswith("has no msgspec.Struct as `options`: report it to its author")


def test_descriptor_of_another_kind_is_refused(install: Install) -> None:
    """An object that is no descriptor is found out here, not deep in the daemon."""
    install("acme-vault", {BACKENDS: ["acme = acme_odd:plugin"]}, acme_odd="plugin = 'text'\n")
    assert complaint("acme").endswith("is a str, not a broker.api.SecretBackendPlugin")


def test_broken_plugin_harms_nobody_who_does_not_name_it(install: Install) -> None:
    """Only what is asked for is imported."""
    install(
        "acme-vault",
        {BACKENDS: ["acme = acme_good:plugin", "broken = acme_broken:plugin"]},
        acme_good=GOOD_MODULE.format(more=""),
        acme_broken="raise RuntimeError('imported')\n",
    )
    plugins = Plugins()
    assert "broken" in plugins.names("secret_backend")
    assert isinstance(plugins.secret_backend("acme"), SecretBackendPlugin)


def test_description_tells_what_can_be_used_and_what_not(install: Install) -> None:
    """All kinds, with distribution, version and capabilities; a broken plug-in has a reason instead."""
    good = GOOD_MODULE.format(more=', capabilities=frozenset({"versions"})')
    install(
        "acme-vault",
        {BACKENDS: ["acme = acme_good:plugin"], SINKS: ["acme-sink = acme_broken:sink"]},
        acme_good=good,
        acme_broken="raise RuntimeError('imported')\n",
    )
    described = [info for info in Plugins().describe() if info.distribution == "acme-vault"]
    problem = (
        "plug-in 'acme-sink' (acme_broken:sink of acme-vault) cannot be imported: RuntimeError: imported"
    )
    expected = [
        PluginInfo(
            name="acme",
            kind="secret_backend",
            distribution="acme-vault",
            version="1.2",
            origin="acme_good:plugin",
            capabilities=("versions",),
        ),
        PluginInfo(
            name="acme-sink",
            kind="sink",
            distribution="acme-vault",
            version="1.2",
            origin="acme_broken:sink",
            problem=problem,
        ),
    ]
    assert expected == described


def test_name_claimed_twice_is_described_twice(install: Install) -> None:
    """So that both are seen, each with the reason why neither is used."""
    for name in ("acme-one", "acme-two"):
        install(name, {BACKENDS: ["acme = acme_good:plugin"]})
    described = [info for info in Plugins().describe() if info.name == "acme"]
    assert ["acme-one", "acme-two"] == [info.distribution for info in described]
    assert {complaint("acme")} == {info.problem for info in described}


def test_each_kind_has_its_own_names(install: Install) -> None:
    """A sink is no secret backend, whatever it is called."""
    install("acme-sink", {SINKS: ["acme = acme_sink:plugin"]})
    assert complaint("acme").startswith("unknown secret backend 'acme';")
