"""Why the cache is not used: an entry that is not trusted, a call that failed, or no key for now.

Owns: the errors of this room. None keeps a token from being minted and served. Refuses to know: file contents; the
messages name files and reasons only.
"""

from __future__ import annotations

from broker.errors import BrokerError


class EntryRefused(BrokerError):
    """What the cache holds for one token is not to be trusted."""

    default_code = "cache_entry"


class CallFailed(BrokerError):
    """A call that reads, writes or opens an entry did not end, or not as it should."""

    default_code = "cache_call"


class KeyUnavailable(BrokerError):
    """There is no usable key for now; told once by who tried, not by everyone who waits for it."""

    default_code = "cache_key"
