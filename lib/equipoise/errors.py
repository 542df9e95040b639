"""What can go wrong, by whose hand: every message names the key or item, its value, the limit and the way out."""

import difflib
import os
from collections.abc import Iterable

_LISTED = 60
"""Known words that a message lists, at most."""


class EquipoiseError(Exception):
    """An error that the user can mend: the command line prints its message alone and exits with 2."""


class ConfigError(EquipoiseError):
    """The configuration asks for something that cannot be: found before any work."""


class InputError(EquipoiseError):
    """The data cannot be used as asked: missing paths, vectors of different lengths, fewer items than clusters."""


class NoVectorsError(InputError):
    """There is no vector to work with."""


class EqualVectorsError(InputError):
    """All vectors are equal: they are one cluster, and no more."""


class TableError(EquipoiseError):
    """The workspace or one of its tables cannot be read or written."""


class RunError(EquipoiseError):
    """A run of this id exists and stands in the way: changed settings, a stage that is missing."""


class SessionError(EquipoiseError):
    """Spark, Delta or Java are not there or not set up as needed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The part of an error message that names the nearest known word, or all of them unless they are very many."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if len(folded) > _LISTED:
        return f"none of the {len(folded):,} known is like it"
    return f"known: {', '.join(folded.values())}"


def check_working_directory() -> None:
    """Whatever is started where there is no directory fails, and says something else.

    Raises:
        SessionError: it was deleted.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise SessionError("the directory that this was started in is gone: change to one that is there") from error
