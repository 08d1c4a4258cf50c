"""Nothing leads out of the directory, whether it is written in a path or comes as a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.file.backend import FileBackend
from backends.file.tree import Tree
from broker.api import SecretMalformed, SecretNotFound
from tests.contract.file.writing import PATIENCE_SECONDS, shown, write


@pytest.mark.parametrize("path", ["../outside", "odc/../../outside", "/etc/passwd", "..", "odc\0"])
def test_path_out_of_the_directory_is_refused(backend: FileBackend, directory: Path, path: str) -> None:
    """Whether something is there or not."""
    (directory / "odc").mkdir()
    with pytest.raises(SecretNotFound, match=r"must be relative to .*, without \.\."):
        backend.read(path, timeout_seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("path", ["link", "chain", "linked/outside", "odc", "mounted"])
def test_link_out_of_the_directory_is_refused(backend: FileBackend, directory: Path, path: str) -> None:
    """A link to a file, a link to a link, through a linked directory, among fields, or as the kubelet's."""
    (directory / "link").symlink_to("../outside")
    (directory / "chain").symlink_to("link")
    (directory / "linked").symlink_to("..")
    (directory / "odc").mkdir()
    (directory / "odc" / "client_secret").symlink_to("../../outside")
    (directory / "mounted").mkdir()
    (directory / "mounted" / "..data").symlink_to("../..")
    for ask in (backend.read, backend.version):
        with pytest.raises(SecretNotFound, match="a link leads out of"):
            ask(path, timeout_seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("component", ["team", "team/odc"])
def test_link_that_is_put_in_the_way_meanwhile_is_not_followed(directory: Path, component: str) -> None:
    """F-34: between the look at a path and the opening of it."""
    write(directory / "team" / "odc", "S3CR3T-inside")
    (directory.parent / "odc").write_text("S3CR3T-outside")
    tree = Tree(str(directory))
    place = tree.find("team/odc")
    os.close(tree.open(place))
    swapped = directory / component
    swapped.rename(directory / "aside")
    swapped.symlink_to(directory.parent if component == "team" else directory.parent / "odc")
    with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
        tree.open(place)


def test_link_inside_the_directory_is_followed(backend: FileBackend, directory: Path) -> None:
    """One secret under two names."""
    write(directory / "real", "S3CR3T-real")
    (directory / "alias").symlink_to("real")
    assert b"S3CR3T-real" == shown(backend.read("alias", timeout_seconds=PATIENCE_SECONDS))[0]


def test_directory_itself_may_be_a_link(backend: FileBackend, directory: Path) -> None:
    """A release that is switched as a whole: the next read and the next version are the new one's."""
    for release in ("one", "two"):
        write(directory.parent / release / "odc", f"S3CR3T-{release}")
    directory.rmdir()
    directory.symlink_to("one")
    first = backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    directory.unlink()
    directory.symlink_to("two")
    second = backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert (b"S3CR3T-one", b"S3CR3T-two") == (shown(first)[0], shown(second)[0])
    assert first.version != second.version


def test_links_that_lead_nowhere_are_explained(backend: FileBackend, directory: Path) -> None:
    """Neither is a traceback, and among several files the missing one is named."""
    (directory / "loop").symlink_to("loop")
    with pytest.raises(SecretMalformed, match="loop: Too many levels of symbolic links"):
        backend.read("loop", timeout_seconds=PATIENCE_SECONDS)
    write(directory / "odc" / "client_id", "app")
    (directory / "odc" / "client_secret").symlink_to("gone")
    with pytest.raises(SecretNotFound, match=f"odc: {directory}/odc/gone leads nowhere"):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)


def test_missing_things_are_told_apart(backend: FileBackend, directory: Path) -> None:
    """A secret that is not there, and a directory that is not."""
    with pytest.raises(SecretNotFound, match=f"odc: there is no such file or directory in {directory}"):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(SecretMalformed, match="File name too long"):
        backend.read("x" * 300, timeout_seconds=PATIENCE_SECONDS)
    directory.rmdir()
    with pytest.raises(SecretNotFound, match=f"the configured directory {directory} does not exist"):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
