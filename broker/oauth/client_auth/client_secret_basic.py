"""`client_secret_basic`: the credential in an Authorization header (RFC 6749 2.3.1, RFC 7617).

Both halves are form-urlencoded before they are joined and base64-encoded, as RFC 6749 appendix B demands:
raw, a `+` arrives as a space, a `%` as an escape, and a `:` in the client_id moves the border.
"""

from __future__ import annotations

import base64
from urllib.parse import quote_plus

from broker.api import Client, ClientAuthentication, ClientAuthPlugin
from broker.oauth.client_auth.credential import ID_SETTING, SECRET_SETTING, checked_ascii, secret_text


def authenticate(client: Client) -> ClientAuthentication:
    """One header. Raises only SecretMalformed."""
    client_id = checked_ascii(client.client_id, setting=ID_SETTING)
    client_secret = checked_ascii(secret_text(client, method="client_secret_basic"), setting=SECRET_SETTING)
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return ClientAuthentication(
        headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    )


plugin = ClientAuthPlugin(authenticate=authenticate)
