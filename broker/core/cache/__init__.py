"""The encrypted token cache: a restart goes on with what was minted before, upstreams or none (docs/interface.md 7)."""
