"""A plug-in's module that is as it should be."""

from broker.api import Secret

KIND = Secret
