"""Encoders that are a user's own code: ``python:<module>:<name>``."""

import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from equipoise.encoders.base import Encoder, Kind, floats_of
from equipoise.encoders.importing import FORM, imported, raised
from equipoise.errors import ConfigError

FAMILY = "python"
PLACEMENT = ("gpu", "n_threads")
_NOT_OPTIONS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class UserEncoder:
    """A class of a user, or a function, which gives an encoder: it stands for a class of this package.

    It has the attribute ``kind``, takes its options by name, each with a default, and what it gives has ``decode`` and
    ``encode`` as :class:`equipoise.encoders.base.Encoder` has them. Where it has a ``code_revision``, that alone says
    which code it is; else the bytes of its module's file do. Options that it names in ``files`` are paths, known by the
    bytes of their files. Its ``check(**options)``, where there is one, is asked before Spark starts.

    Args:
        argument: ``module:name``.

    Raises:
        ConfigError: it cannot be imported, or is not of this form.
    """

    def __init__(self, argument: str) -> None:
        self._encoder = f"{FAMILY}:{argument}"
        self._module, self._make = _imported(argument)
        self.kind: Kind = _kind(self._make, self._encoder)
        self.code_revision = getattr(self._make, "code_revision", 1)
        self.files: tuple[str, ...] = tuple(getattr(self._make, "files", ()))
        self.__signature__ = _signature(self._make, self._encoder)

    def __call__(self, argument: str, **options: Any) -> Encoder:
        """The encoder, with these options.

        Raises:
            ConfigError: it cannot be made, or is none.
        """
        try:
            made = self._make(**options)
        except ConfigError:
            raise
        except Exception as error:  # what a user's code raises is its own affair
            raise ConfigError(f"encoder {self._encoder}: {raised(error)}") from error
        for method in ("decode", "encode"):
            if not callable(getattr(made, method, None)):
                raise ConfigError(f"encoder {self._encoder}: a {type(made).__name__} has no method {method}")
        return Checked(made, self.kind, encoder=self._encoder)

    def check(self, argument: str, **options: Any) -> None:
        """Asks the user's own ``check``, where there is one.

        Raises:
            ConfigError: whatever that raises.
        """
        if not hasattr(self._make, "check"):
            return
        try:
            self._make.check(**options)
        except ConfigError:
            raise
        except Exception as error:  # what a user's code raises is its own affair
            raise ConfigError(f"encoder {self._encoder}: {raised(error)}") from error

    def revision_of(self, argument: str) -> str | None:
        """What says which code it is, beside a ``code_revision`` of its own: the SHA-256 of its module's file."""
        return None if hasattr(self._make, "code_revision") else _code_hash(self._module, self._encoder)


class Checked:
    """A user's encoder, of which what it gives is looked at."""

    def __init__(self, made: Encoder, kind: Kind, *, encoder: str) -> None:
        self.kind, self.decode, self._made, self._encoder = kind, made.decode, made, encoder

    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """The vectors of a batch of decoded items, (n, d) float32.

        Raises:
            ConfigError: the user's code gives something else.
        """
        found: object = self._made.encode(items)
        vectors = np.asarray(found) if isinstance(found, (list, tuple)) else found
        return floats_of(vectors, len(items), items="items", encoder=self._encoder)


def _imported(argument: str) -> tuple[ModuleType, Callable[..., Any]]:
    encoder = f"encoder {FAMILY}:{argument}"
    if not re.fullmatch(FORM, argument):
        raise ConfigError(f"{encoder}: {argument!r} is not of the form module:name, package.module:Class say")
    return imported(argument, place=encoder)


def _kind(make: Callable[..., Any], encoder: str) -> Kind:
    kind: Any = getattr(make, "kind", None)
    if kind not in get_args(Kind):
        said = "has no attribute kind" if kind is None else f"has the kind {kind!r}"
        raise ConfigError(f"encoder {encoder}: it {said}; write kind = 'images' or kind = 'texts', which it reads")
    return kind


def _signature(make: Callable[..., Any], encoder: str) -> inspect.Signature:
    """Its options, as keywords with what a config may give."""
    try:
        parameters = inspect.signature(make, eval_str=True).parameters.values()
    except Exception as error:  # annotations are a user's code, too
        raise ConfigError(f"encoder {encoder}: its options cannot be read: {raised(error)}") from error
    return inspect.Signature([_keyword(parameter, encoder) for parameter in parameters])


def _keyword(parameter: inspect.Parameter, encoder: str) -> inspect.Parameter:
    said = f"encoder {encoder}: the parameter {parameter} is no option"
    if parameter.kind in _NOT_OPTIONS or (parameter.default is parameter.empty and parameter.name not in PLACEMENT):
        raise ConfigError(f"{said}: give each a name and a default")
    given = Any if parameter.annotation is parameter.empty else parameter.annotation
    try:
        TypeAdapter(given)
    except PydanticSchemaGenerationError as error:
        raise ConfigError(f"{said}: a config holds numbers, texts, lists and the like") from error
    return parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=given)


@cache
def _code_hash(module: ModuleType, encoder: str) -> str:
    """Of the file as it was when it was imported, or soon after."""
    try:
        content: bytes = module.__spec__.loader.get_data(module.__file__)  # type: ignore[union-attr]
    except (AttributeError, OSError, TypeError) as error:
        raise ConfigError(
            f"encoder {encoder}: the file of the module {module.__name__} cannot be read; give it a code_revision = 1, "
            "to be raised when it makes other vectors"
        ) from error
    return hashlib.sha256(content).hexdigest()
