"""What ships for tests, of plug-in authors and our own: contract classes and fakes.

Nothing in production imports it. The contract classes are pytest classes.
"""

import pytest

pytest.register_assert_rewrite(
    "broker.testing.secret_backend_contract",
    "broker.testing.secret_backend",
    "broker.testing.token_sink_contract",
)
