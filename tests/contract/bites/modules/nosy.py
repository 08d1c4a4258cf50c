"""A plug-in's module that reaches past the one import it is given."""

from broker import api, model

KIND = (api.Secret, model.Secret)
