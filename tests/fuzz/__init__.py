"""Hostile bytes against the socket's parser and routes."""
