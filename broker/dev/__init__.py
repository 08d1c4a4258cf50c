"""The development setting: an authorization server of our own, for `token-broker dev` and for tests."""
