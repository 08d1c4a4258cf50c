"""Sinks that come with the broker; each is a plug-in like any other."""
