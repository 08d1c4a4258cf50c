"""The suite's plug-ins: real servers as fixtures, and the search for canaries."""

pytest_plugins = ["tests.canary", "tests.servers.fixtures"]
