"""Promises that are asked only of those who can show whether they keep them.

Owns: which tests of a contract class a subclass has. Refuses to know: the promises, and what the abilities mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., object])


def needs(*abilities: str) -> Callable[[F], F]:
    """This promise is asked of classes with these abilities only."""

    def mark(test: F) -> F:
        test.__dict__["needs"] = frozenset(abilities)
        return test

    return mark


class AskedByAbility:
    """Base of contract classes; one with a `plugin` is put to the test, others are groups of promises."""

    abilities: ClassVar[frozenset[Any]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "plugin"):
            return
        for name in dir(cls):
            # Looked up past None: a class in between may have had fewer abilities.
            kept = next((vars(base)[name] for base in cls.__mro__ if vars(base).get(name) is not None), None)
            if name.startswith("test_") and kept is not None:
                asked = getattr(kept, "needs", frozenset()) <= cls.abilities
                # Otherwise not a skipped test, but none: nothing is missing.
                setattr(cls, name, kept if asked else None)
