"""Items -> vectors: the encoder runs in the Python workers, its model loaded once in each."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.encoders import Encoder, UnreadableItem, encoder_id, load_encoder
from equipoise.encoders.base import unreadable
from equipoise.encoders.images import quiet_pillow
from equipoise.errors import ConfigError, EquipoiseError
from equipoise.kernels.threads import limit_worker_threads
from equipoise.kernels.vectors import largest_value
from equipoise.pipeline.content import READERS, content_of, slices
from equipoise.pipeline.items import NOT_FINITE, TOO_LARGE
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col

# Batches of one task: enough to outweigh its start, few enough to keep all cores busy.
_BATCHES_PER_TASK = 8
_VECTORS = t.StructType(
    [
        POOL.schema[Col.item_id],
        POOL.schema[Col.key],
        POOL.schema[Col.uri],
        EMBEDDINGS.schema[Col.embedding],
        REJECTS.schema[Col.reason],
        REJECTS.schema[Col.detail],
    ]
)
_ARROW = pa.schema(
    [
        (Col.item_id, pa.int64()),
        (Col.key, pa.string()),
        (Col.uri, pa.string()),
        (Col.embedding, pa.list_(pa.field("element", pa.float32(), nullable=False))),
        (Col.reason, pa.string()),
        (Col.detail, pa.string()),
    ]
)


def vectors(
    items: DataFrame, encoder: str, options: Mapping[str, Any], *, wanted_id: str, n_items: int, batch_size: int
) -> DataFrame:
    """One row an item: item_id, key, uri, and ``embedding`` or the ``reason`` and ``detail`` why there is none.

    Which items share a batch depends on the ids and ``n_items`` alone, so a repeated run gives the same bits.

    Args:
        items: item_id, key, uri, content (null: read from the uri).
        encoder: a name for :func:`equipoise.encoders.load_encoder`, with its ``options``.
        wanted_id: its id, by which the workers know that their model is the one that is meant.
        n_items: about how many there are; sets the number of tasks.
        batch_size: items that are decoded and encoded at once.
    """
    n_tasks = max(1, -(-n_items // (batch_size * _BATCHES_PER_TASK)))
    spread = items.select(Col.item_id, Col.key, Col.uri, Col.content).repartition(n_tasks, Col.item_id)
    of_worker = partial(_loaded, encoder, json.dumps(dict(options)), wanted_id)
    encode = partial(_encode, of_worker=of_worker, batch_size=batch_size)
    return spread.sortWithinPartitions(Col.item_id).mapInArrow(encode, _VECTORS)  # type: ignore[arg-type]


def with_chunk(items: DataFrame, n_chunks: int) -> DataFrame:
    """Adds ``chunk``, 0 to ``n_chunks`` - 1: by a hash of item_id, the same whenever it is asked for."""
    chunk = F.pmod(F.xxhash64(F.lit("chunk"), Col.item_id), F.lit(n_chunks)).cast("int")
    return items.select("*", chunk.alias(Col.chunk))


def _encode(
    batches: Iterable[pa.RecordBatch], *, of_worker: Callable[[], Encoder], batch_size: int
) -> Iterator[pa.RecordBatch]:
    loaded = of_worker()
    # After the model is loaded: only libraries that are there can be told.
    limit_worker_threads(_n_threads())
    guarded = Guarded(loaded)
    with quiet_pillow(), ThreadPoolExecutor(READERS) as readers:
        for batch in slices(batches, batch_size):
            uris, contents = (batch.column(name).to_pylist() for name in (Col.uri, Col.content))
            decoded = list(readers.map(partial(_decoded, loaded), uris, contents))
            yield _encoded(batch, decoded, guarded)


def _decoded(encoder: Encoder, uri: str | None, content: bytes | None) -> Any:
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


def _encoded(batch: pa.RecordBatch, decoded: list[Any], encoder: Guarded) -> pa.RecordBatch:
    outcomes: list[UnreadableItem | None] = [item if isinstance(item, UnreadableItem) else None for item in decoded]
    readable = [place for place, outcome in enumerate(outcomes) if outcome is None]
    vectors = encoder.vectors([decoded[place] for place in readable])
    embeddings: list[Any] = [None] * len(decoded)
    for place, vector in zip(readable, vectors, strict=True):
        outcomes[place] = vector if isinstance(vector, UnreadableItem) else _unusable(vector)
        embeddings[place] = vector if outcomes[place] is None else None
    return pa.RecordBatch.from_arrays(
        [
            *(batch.column(name) for name in (Col.item_id, Col.key, Col.uri)),
            pa.array(embeddings, _ARROW.field(Col.embedding).type),
            pa.array([outcome and outcome.reason for outcome in outcomes], pa.string()),
            pa.array([outcome and outcome.detail for outcome in outcomes], pa.string()),
        ],
        schema=_ARROW,
    )


def _unusable(vector: NDArray[np.floating]) -> UnreadableItem | None:
    if not np.isfinite(vector).all():
        return UnreadableItem(NOT_FINITE, "the encoder's vector holds NaN or infinity")
    largest = np.abs(vector).max(initial=0)
    if largest > largest_value(vector.size):
        return UnreadableItem(TOO_LARGE, f"the encoder's vector holds {largest:.3g}, too large to square in float32")
    return None


@cache
def _loaded(name: str, options: str, wanted_id: str) -> Encoder:
    """Once a worker; again where the same name has become another model.

    Raises:
        ConfigError: the model cannot be loaded, or is another than the driver's.
    """
    given = json.loads(options)
    loaded = load_encoder(name, gpu=_gpu(), n_threads=_n_threads(), **given)
    if (own_id := encoder_id(name, given)) != wanted_id:
        raise ConfigError(
            f"encoder {name}: a worker has another model than this run was started with ({own_id}, not {wanted_id}): "
            "give all machines the same file or version, and start it again"
        )
    return loaded


def _n_threads() -> int:
    """As many as the task has cores."""
    task = TaskContext.get()
    return task.cpus() if task else 1


def _gpu() -> int:
    """The device that Spark gave to the task, else the tasks take turns."""
    task = TaskContext.get()
    if task is None:
        return 0
    given = task.resources().get("gpu")
    return int(given.addresses[0]) if given else task.partitionId()
