"""`client_secret_post`: the credential in the request body (RFC 6749 2.3.1, RFC 7591 2)."""

from __future__ import annotations

from broker.api import Client, ClientAuthentication, ClientAuthPlugin
from broker.oauth.client_auth.credential import ID_SETTING, checked, secret_text


def authenticate(client: Client) -> ClientAuthentication:
    """Two form parameters. Raises only SecretMalformed."""
    client_id = checked(client.client_id, setting=ID_SETTING)
    client_secret = secret_text(client, method="client_secret_post")
    return ClientAuthentication(form={"client_id": client_id, "client_secret": client_secret})


plugin = ClientAuthPlugin(authenticate=authenticate)
