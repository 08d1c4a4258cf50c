"""Tests that need a running Keycloak: ``make test-servers``, without xdist, since one server is enough."""
