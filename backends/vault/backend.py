"""A Vault-compatible server as a secret backend.

Owns: the order of things in one call: token, question, and what a 403 leads to. Refuses to know: HTTP
(`client`), logins (`login`), shapes (`kv`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from backends.vault.answers import FORBIDDEN
from backends.vault.client import Answer, Ask, VaultClient
from backends.vault.kv import KeyValueEngine
from backends.vault.login import Clock, Login, boot_seconds
from backends.vault.methods import method_for
from backends.vault.methods.desk import Desk
from backends.vault.options import VaultOptions, client_certificate
from broker.api import LifeCycle, PluginContext, SecretAccessDenied, SecretBackendUnavailable, SecretDocument

REVOCATION_SECONDS = 1.5
"""Within the two seconds that a close may take."""


class VaultBackend:
    """Implements `broker.ports.SecretBackend`."""

    def __init__(self, options: VaultOptions, context: PluginContext, *, clock: Clock = boot_seconds) -> None:
        self._where = f"secret backend {context.name}"
        self._client = VaultClient(options, where=self._where)
        self._namespace = options.namespace or ""
        desk = Desk(
            client=self._client,
            where=self._where,
            namespace=self._namespace,
            private_key_file=client_certificate(options)[1],
            warn=_once(context),
        )
        method = method_for(options.auth, desk)
        self._login = Login(method, self._client, context, where=self._where, clock=clock)
        self._engine = KeyValueEngine(options, where=self._where)
        self._versioned = options.kv_version == 2  # noqa: PLR2004 - the name of the engine's version
        self._forwards = options.forward_inconsistent
        self._revokes = options.revoke_on_exit and method.owns_token

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        policy_path = self._engine.data_path(path)
        answer = self._answer(self._engine.reading(path), policy_path, timeout_seconds)
        return self._engine.document(answer, path)

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        if not self._versioned:
            return None
        policy_path = self._engine.metadata_path(path)
        answer = self._answer(self._engine.reading_metadata(path), policy_path, timeout_seconds)
        return self._engine.current_version(answer, path)

    def close(self) -> None:
        held = self._login.held
        if held is not None and held.revocable and self._revokes:
            self._revokes = False
            with suppress(SecretBackendUnavailable):  # then it dies at the end of its life
                self._client.ask(
                    lambda vault: vault.auth.token.revoke_self(),
                    token=held.value,
                    deadline=time.monotonic() + REVOCATION_SECONDS,
                )
        self._client.close()

    def _answer(self, ask: Ask, policy_path: str, timeout_seconds: float) -> Answer:
        deadline = time.monotonic() + timeout_seconds
        held = self._login.token(deadline)
        answer = self._client.ask(ask, token=held.value, deadline=deadline, forward=self._forwards)
        if answer.status != FORBIDDEN:
            return answer
        if not self._login.is_alive(held, deadline):
            held = self._login.another_than(held, deadline)
            answer = self._client.ask(ask, token=held.value, deadline=deadline, forward=self._forwards)
            if answer.status != FORBIDDEN:
                return answer
            self._login.vouch(held)
        place = f" in namespace {self._namespace}" if self._namespace else ""
        raise SecretAccessDenied(
            f'{self._where}: no policy{place} lets us read {policy_path}: add path "{policy_path}" '
            '{ capabilities = ["read"] } to a policy of our role'
        )


def _once(context: PluginContext) -> Callable[[str], None]:
    """Report each warning the first time only."""
    said: set[str] = set()

    def warn(message: str) -> None:
        if message not in said:
            said.add(message)
            context.observer(LifeCycle(phase="warning", message=message))

    return warn
