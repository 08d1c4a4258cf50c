"""token-broker: short-lived access tokens for programs that must not hold long-lived secrets."""

__version__ = "0.1.0"
