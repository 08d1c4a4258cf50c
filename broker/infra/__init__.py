"""Adapters to the outside: network, threads, clocks, systemd, locks; each implements a port."""
