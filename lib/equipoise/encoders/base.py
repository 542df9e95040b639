"""What every encoder is: bytes of an item -> what the model reads -> a vector."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError

Kind = Literal["images", "texts"]


class UnreadableItem(Exception):  # noqa: N818 - it names the item, which goes to the rejects; nothing has failed
    """One item cannot be used. ``reason`` is a word to group by, ``detail`` says what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        detail = detail.encode(errors="backslashreplace").decode()  # a message may quote what is no text
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@contextmanager
def unreadable(reason: str) -> Iterator[None]:
    """Whatever one item raises, memory and recursion among it, becomes an :class:`UnreadableItem` for this reason."""
    try:
        yield
    except UnreadableItem:
        raise
    except Exception as error:  # readers of broken contents raise anything
        raise UnreadableItem(reason, f"{type(error).__name__}: {error}") from error


class Encoder(Protocol):
    """Turns items into vectors. One instance serves a whole worker process; its options are its identity."""

    kind: Kind

    def decode(self, content: bytes) -> Any:
        """One item, ready for :meth:`encode`; called from several threads at once.

        Raises:
            UnreadableItem: the content is broken; the item is rejected, the others go on.
        """

    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """The vectors of a batch of decoded items, (n, d) float32, in the order of ``items``."""


def needs(*modules: str, extra: str, encoder: str) -> None:
    """Looks whether libraries are installed, without the seconds that importing them takes.

    Raises:
        ConfigError: one is not; names the extra that brings it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise ConfigError(f"encoder {encoder} needs the library {module}: pip install 'equipoise[{extra}]'")


def floats_of(output: object, n: int, *, items: str, encoder: str) -> NDArray[np.float32]:
    """What a model gives of ``n`` items (``pictures``, say), where it is vectors, as (n, d) float32.

    Raises:
        ConfigError: it is something else.
    """
    if isinstance(output, np.ndarray):
        if output.ndim == 2 and len(output) == n and output.shape[1] and output.dtype.kind == "f":
            return np.asarray(output, dtype=np.float32)
        told = f"{output.dtype} of {output.shape}"
    else:
        told = f"a {type(output).__name__}"
    raise ConfigError(f"encoder {encoder}: of {n} {items} the model gives {told}; it must be floats of ({n}, d)")


def unit_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each divided by its length, (n, d) float32; zeros stay zeros."""
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return vectors / norms
