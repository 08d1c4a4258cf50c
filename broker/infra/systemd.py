"""What systemd is told and what it hands over (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)).

Owns: the datagrams and the inherited descriptors. Refuses to know: when the daemon is ready. Without systemd
nothing happens; a service manager that cannot be reached never stops the daemon.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
_DEFAULT_NAME = "unknown"  # sd_listen_fds_with_names(3)


class Notifier:
    """Sends state changes to the service manager named by NOTIFY_SOCKET."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _notify_address(environment.get("NOTIFY_SOCKET", ""))

    def ready(self, status: str) -> None:
        """Start-up, or a reload, has ended: also one that failed (R-145)."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """A reload begins. systemd wants the time of CLOCK_MONOTONIC in the same datagram (R-145)."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The shutdown begins."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(_status(text))

    def watchdog(self) -> None:
        """Still making progress."""
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.sendto("\n".join(assignments).encode(), self._address)


def listening_sockets(environment: Mapping[str, str], *, pid: int) -> dict[str, socket.socket]:
    """The Unix stream sockets that systemd listens on for us, by FileDescriptorName=; often none.

    Descriptors of another kind, and several of one name, are ValueError: the socket unit is wrong (R-131).
    """
    if environment.get("LISTEN_PID") != str(pid):
        return {}
    count = _number(environment.get("LISTEN_FDS", "0"))
    names = environment.get("LISTEN_FDNAMES", "").split(":") if environment.get("LISTEN_FDNAMES") else []
    if names and len(names) != count:
        raise ValueError(f"LISTEN_FDNAMES has {len(names)} names for {count} descriptors")
    found: dict[str, socket.socket] = {}
    for index in range(count):
        name = names[index] if names else _DEFAULT_NAME
        if name in found:
            raise ValueError(f"two inherited descriptors are named {name}")
        found[name] = _inherited(FIRST_DESCRIPTOR + index, name)
    return found


def watchdog_seconds(environment: Mapping[str, str], *, pid: int) -> float | None:
    """How often systemd wants a sign of life, or None if it does not."""
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = _number(environment.get("WATCHDOG_USEC", "0"))
    return microseconds / 1_000_000 if microseconds else None


def _inherited(descriptor: int, name: str) -> socket.socket:
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the library's signature
    try:
        listening = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ValueError(f"the inherited descriptor {name} is not a socket: {error.strerror}") from None
    is_stream = listening.family == socket.AF_UNIX and listening.type == socket.SOCK_STREAM
    if not is_stream or not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listening.detach()
        raise ValueError(f"the inherited descriptor {name} is not a listening Unix stream socket")
    return listening


def _notify_address(text: str) -> str | None:
    if text.startswith("@"):
        return f"\0{text[1:]}"
    return text if text.startswith("/") else None


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
