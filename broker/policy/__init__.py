"""Decisions as pure functions of values and `now`: when to renew, what to do after which error, what is ready."""
