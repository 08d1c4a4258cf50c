"""Plug-ins of third parties: found, refused, listed."""
