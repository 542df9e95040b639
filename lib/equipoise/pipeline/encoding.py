"""What a task does with its items: decoded in threads beside the forward pass, encoded many at once, in their order."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from equipoise.encoders import Encoder, UnreadableItem
from equipoise.encoders.base import unreadable
from equipoise.encoders.images import quiet_pillow
from equipoise.errors import EquipoiseError
from equipoise.kernels.threads import ahead
from equipoise.kernels.vectors import largest_value
from equipoise.pipeline.content import READERS, content_of, slices
from equipoise.pipeline.items import NOT_FINITE, TOO_LARGE
from equipoise.pipeline.together import together
from equipoise.schemas import Col

_BATCHES_OF_TEXTS = 4
"""Batches of texts that are given to the encoder together: sorted by length, so that like stands by like."""
_BYTES_AHEAD = 64 << 20
"""Of items that are being decoded or wait for their turn; of vectors that leave a task together, too."""
_BYTES_TOGETHER = 256 << 20
"""Of decoded items that are encoded together."""
VECTORS = pa.schema(
    [
        (Col.item_id, pa.int64()),
        (Col.key, pa.string()),
        (Col.uri, pa.string()),
        (Col.embedding, pa.list_(pa.field("element", pa.float32(), nullable=False))),
        (Col.reason, pa.string()),
        (Col.detail, pa.string()),
    ]
)
"""What becomes of the items: an ``embedding``, or the ``reason`` and ``detail`` why there is none."""


class Item(NamedTuple):
    """One item on its way; without ``content`` it is read from ``uri``. ``n_bytes``: of the content, where known."""

    item_id: int
    key: str | None
    uri: str | None
    content: bytes | None
    n_bytes: int | None = None


class _Decoded(NamedTuple):
    item: Item
    outcome: Any


def embedded(items: Iterable[Item], encoder: Encoder, *, batch_size: int) -> Iterator[pa.RecordBatch]:
    """The items in their order as :data:`VECTORS`; which share a batch depends on the items alone.

    Args:
        items: of the task; read by this thread, decoded by others, while the encoder works on those before them.
        encoder: with its model loaded.
        batch_size: items that are encoded at once; of texts four times as many, which are sorted by length.
    """
    guarded = Guarded(encoder)
    n_together = batch_size * (_BATCHES_OF_TEXTS if encoder.kind == "texts" else 1)
    with quiet_pillow(), ThreadPoolExecutor(READERS) as threads:
        decode = partial(_one_decoded, encoder)
        decoded = ahead(threads, decode, items, n_items=n_together, weight=_weight, grown=_size, most=_BYTES_AHEAD)
        for some in together(decoded, _size, n_items=n_together, n_bytes=_BYTES_TOGETHER):
            ids, keys, uris = zip(*(one.item[:3] for one in some), strict=True)
            rows = pa.RecordBatch.from_arrays(
                [pa.array(ids, pa.int64()), pa.array(keys, pa.string()), pa.array(uris, pa.string())],
                schema=pa.schema([VECTORS.field(name) for name in (Col.item_id, Col.key, Col.uri)]),
            )
            found = encoded(rows, [one.outcome for one in some], guarded)
            yield from slices([found], max(1, _BYTES_AHEAD * len(some) // max(1, found.nbytes)))


def _weight(item: Item) -> int:
    return (item.n_bytes or 0) if item.content is None else len(item.content)


def _size(one: _Decoded) -> int:
    return int(getattr(one.outcome, "nbytes", _length(one.outcome)))


def _one_decoded(encoder: Encoder, item: Item) -> _Decoded:
    return _Decoded(item._replace(content=None), decoded(encoder, item.uri, item.content))


def decoded(encoder: Encoder, uri: str | None, content: bytes | None) -> Any:
    """What the encoder reads of an item, or why it cannot."""
    try:
        with unreadable("unreadable_item"):
            return encoder.decode(content_of(uri, content))
    except UnreadableItem as item:
        return item


class Guarded:
    """An encoder of which one odd item costs no other its vector: a batch that it cannot take goes item by item."""

    def __init__(self, encoder: Encoder) -> None:
        """Takes an encoder; that it works is known once it gave a vector."""
        self._encoder, self._taken = encoder, list[Any]()

    def vectors(self, items: list[Any]) -> list[NDArray[np.floating] | UnreadableItem]:
        """The vector of each decoded item, or why there is none.

        Raises:
            EquipoiseError: what the user can mend.
            Exception: what all items raise, the first one's: then it is not the items. Of an item that is alone in its
                batch one that the encoder took before tells.
        """
        if not items:
            return []
        try:
            found = list(self._encoder.encode(items))
        except EquipoiseError:
            raise
        except Exception as whole:  # of any kind: it is looked whose it is
            return self._one_by_one(items, whole)
        self._taken = items[:1]
        return found

    def _one_by_one(self, items: list[Any], whole: Exception) -> list[NDArray[np.floating] | UnreadableItem]:
        alone = [self._alone(item) for item in items]
        first = alone[0]
        if isinstance(first, Exception) and {type(outcome) for outcome in alone} == {type(first)}:
            works = len(items) == 1 and self._taken and not isinstance(self._alone(self._taken[0]), Exception)
            if not (works or isinstance(first, UnreadableItem)):
                raise first from whole
        return [_as_reject(outcome) if isinstance(outcome, Exception) else outcome for outcome in alone]

    def _alone(self, item: Any) -> NDArray[np.floating] | Exception:
        try:
            return np.asarray(self._encoder.encode([item]))[0]
        except EquipoiseError:
            raise
        except Exception as error:
            return error


def _as_reject(error: Exception) -> UnreadableItem:
    if isinstance(error, UnreadableItem):
        return error
    return UnreadableItem("unreadable_item", f"{type(error).__name__}: {error}")


def encoded(rows: pa.RecordBatch, decoded: list[Any], encoder: Guarded) -> pa.RecordBatch:
    """Rows (item_id, key, uri) with their vectors, of what was decoded of them, as :data:`VECTORS`."""
    outcomes: list[UnreadableItem | None] = [item if isinstance(item, UnreadableItem) else None for item in decoded]
    readable = [place for place, outcome in enumerate(outcomes) if outcome is None]
    # Like beside like: whatever cuts them into passes then pays for little padding.
    readable.sort(key=lambda place: -_length(decoded[place]))
    vectors = encoder.vectors([decoded[place] for place in readable])
    embeddings: list[Any] = [None] * len(decoded)
    for place, vector in zip(readable, vectors, strict=True):
        outcomes[place] = vector if isinstance(vector, UnreadableItem) else _unusable(vector)
        embeddings[place] = vector if outcomes[place] is None else None
    return pa.RecordBatch.from_arrays(
        [
            *(rows.column(name) for name in (Col.item_id, Col.key, Col.uri)),
            pa.array(embeddings, VECTORS.field(Col.embedding).type),
            pa.array([outcome and outcome.reason for outcome in outcomes], pa.string()),
            pa.array([outcome and outcome.detail for outcome in outcomes], pa.string()),
        ],
        schema=VECTORS,
    )


def _length(item: Any) -> int:
    """Of a text; all else is one pass's, or the encoder's own business."""
    return len(item) if isinstance(item, str) else 0


def _unusable(vector: NDArray[np.floating]) -> UnreadableItem | None:
    if not np.isfinite(vector).all():
        return UnreadableItem(NOT_FINITE, "the encoder's vector holds NaN or infinity")
    largest = np.abs(vector).max(initial=0)
    if largest > largest_value(vector.size):
        return UnreadableItem(TOO_LARGE, f"the encoder's vector holds {largest:.3g}, too large to square in float32")
    return None
