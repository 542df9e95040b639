"""Code of a user's own, named ``module:name``."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from equipoise.encoders.passes import last_line
from equipoise.errors import ConfigError

FORM = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"
"""Of such a name, as a regular expression."""
_PLACES = "it must be importable on driver and executors: put its folder on PYTHONPATH, on a cluster also --py-files"


def imported(name: str, *, place: str) -> tuple[ModuleType, Callable[..., Any]]:
    """The module, and the class or function that it has under the name.

    Args:
        name: of the form :data:`FORM`.
        place: for messages: what named it.

    Raises:
        ConfigError: the module cannot be imported, or has no such class or function.
    """
    of, _, what = name.partition(":")
    try:
        module = import_module(of)
    except Exception as error:  # what a user's code raises is its own affair
        raise ConfigError(f"{place}: the module {of} cannot be imported ({raised(error)}); {_PLACES}") from error
    found = getattr(module, what, None)
    if not callable(found):
        has = "has no" if found is None else f"has a {type(found).__name__}, no class or function,"
        raise ConfigError(f"{place}: the module {of} ({module.__file__}) {has} {what}")
    return module, found


def raised(error: BaseException) -> str:
    """What a user's code raised, in one line."""
    return f"{type(error).__name__}: {last_line(error)}"
