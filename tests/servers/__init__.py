"""The real servers that tests talk to: had by name from public registries, listening on loopback only."""
