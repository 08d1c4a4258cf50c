"""`token-broker check`: is this configuration right? Without network, and without starting anything.

Owns: the verdict: what is wrong with the configuration or with a file that it names is a fault, and 78. Where
the broker would only use a default directory that this user cannot, a note is enough: another user may run
the broker. Refuses to know: the rules (`broker.config`), what makes a directory unsafe (`broker.sinks`).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from broker.cli import addresses
from broker.cli.options import Arguments, Command
from broker.cli.streams import complain
from broker.config.inspection import Inspection, inspect
from broker.config.schema import Config
from broker.errors import ConfigError, Fault, SinkError

COMMAND = Command(
    "check",
    "validate the configuration, without network: one line for every fault, and 78",
    options=(addresses.CONFIG,),
    example="token-broker check --config /etc/token-broker/config.toml",
)


def run(arguments: Arguments) -> int:
    """Print `ok`. Raises ConfigError with every fault."""
    from broker.app import vocabulary
    from broker.config.load import load

    path = addresses.config(arguments)
    installed = vocabulary()
    config = load(Path(path), environment=os.environ, vocabulary=installed)
    inspection = excused(inspect(config, directories=OutputDirectories(), key_files=CacheKeyFiles()), config)
    faults = (*inspection.faults, *client_auth_faults(config, installed.client_auth_trouble))
    if faults:
        raise ConfigError(faults)
    for note in inspection.notes:
        complain(f"note: {note}")
    print(f"{path}: ok, managed tokens: {', '.join(sorted(config.tokens)) or 'none'}")
    return os.EX_OK


def excused(inspection: Inspection, config: Config) -> Inspection:
    """The same, with what is said about directories that the configuration does not name as notes."""
    defaults = set(_default_directories(config))
    return Inspection(
        faults=tuple(fault for fault in inspection.faults if fault.path not in defaults),
        notes=(*(fault for fault in inspection.faults if fault.path in defaults), *inspection.notes),
    )


def client_auth_faults(config: Config, trouble: Callable[[str], str | None]) -> Iterator[Fault]:
    """Methods that are named and installed and cannot be used; the daemon finds that out at the first mint."""
    for name, server in config.authorization_servers.items():
        method = server.token_endpoint_auth_method
        if method is not None and (message := trouble(method)) is not None:
            yield Fault(f"authorization_servers.{name}.token_endpoint_auth_method", message)


class OutputDirectories:
    """Implements `broker.config.inspection.Directories` as the file sink sees directories."""

    def refusal(self, directory: str) -> str | None:
        """Why the file sink would not publish there."""
        from broker.sinks.directory import opened

        try:
            with opened(directory, create=False):
                return None
        except SinkError as error:
            return error.message
        except OSError:
            return None

    def disk(self, directory: str) -> str | None:
        """The type of its file system unless that is memory."""
        from broker.sinks.mounts import MEMORY, file_system

        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            kind = file_system(descriptor)
        finally:
            os.close(descriptor)
        return None if kind in MEMORY else kind


class CacheKeyFiles:
    """Implements `broker.config.inspection.KeyFiles` as the token cache reads its key."""

    def refusal(self, path: str) -> str | None:
        """Why the token cache would have no key."""
        from broker.core.cache import key
        from broker.errors import BrokerError
        from broker.infra.key_file import read_key

        try:
            key.parse(read_key(path, warn=complain))
        except BrokerError as error:
            return error.message
        except ValueError as error:
            return f"{path} {error}"
        return None


def _default_directories(config: Config) -> Iterator[str]:
    """The key paths of directories that the configuration leaves to the defaults."""
    default = Config().broker
    if config.broker.runtime_dir == default.runtime_dir:
        yield "broker.runtime_dir"
        if Path(config.socket.path).parent == Path(default.runtime_dir):
            yield "socket.path"
    if config.broker.state_dir == default.state_dir:
        yield "broker.state_dir"
