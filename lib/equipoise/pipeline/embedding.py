"""Items -> vectors: the encoder runs in the Python workers, its model loaded once in each."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.encoders import Encoder, encoder_id, load_encoder, n_gpus, uses_gpu
from equipoise.errors import ConfigError
from equipoise.kernels.threads import limit_worker_threads
from equipoise.pipeline.encoding import Item, embedded
from equipoise.pipeline.gpus import gpu_of_task
from equipoise.pipeline.pieces import BYTES_OF_BATCH, in_pieces, whole
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col

# Batches of one task: enough to outweigh its start, few enough to keep all cores busy.
_BATCHES_PER_TASK = 8
# Of fewer items a batch each, so that few items keep many cores busy, too: by their number alone, as the bits are.
_FEWEST_TASKS = 64
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


def vectors(
    items: DataFrame,
    encoder: str,
    options: Mapping[str, Any],
    *,
    wanted_id: str,
    n_items: int,
    batch_size: int,
    tasks_per_gpu: int = 1,
) -> DataFrame:
    """One row an item: item_id, key, uri, and ``embedding`` or the ``reason`` and ``detail`` why there is none.

    Which items share a batch depends on the items and ``n_items`` alone, so a repeated run gives the same bits.

    Args:
        items: item_id, key, uri, content (null: read from the uri); ``bytes``, of the content, may be there.
        encoder: a name for :func:`equipoise.encoders.load_encoder`, with its ``options``.
        wanted_id: its id, by which the workers know that their model is the one that is meant.
        n_items: about how many there are; sets the number of tasks.
        batch_size: see :func:`equipoise.pipeline.encoding.embedded`.
        tasks_per_gpu: that work on one at a time, where Spark does not give them out.
    """
    n_batches = max(1, -(-n_items // batch_size))
    n_tasks = max(-(-n_batches // _BATCHES_PER_TASK), min(n_batches, _FEWEST_TASKS))
    size = F.col(Col.n_bytes) if Col.n_bytes in items.columns else F.lit(None).cast("bigint")
    read = items.select(Col.item_id, Col.key, Col.uri, Col.content, size.alias(Col.n_bytes))
    spread = read.repartition(n_tasks, Col.item_id).sortWithinPartitions(Col.item_id)
    of_worker = partial(ready_encoder, encoder, options, wanted_id=wanted_id, tasks_per_gpu=tasks_per_gpu)
    encode = partial(_encode, of_worker=of_worker, batch_size=batch_size)
    return in_pieces(spread).mapInArrow(encode, _VECTORS)  # type: ignore[arg-type]


@contextmanager
def ready_encoder(
    encoder: str, options: Mapping[str, Any], *, wanted_id: str, tasks_per_gpu: int = 1
) -> Iterator[Encoder]:
    """In a task: the encoder of this worker, with a GPU where it takes one, and the threads that the task has.

    Raises:
        ConfigError: the model cannot be loaded, or is another than the driver's.
    """
    with gpu_of_task(tasks_per_gpu, n_devices=n_gpus(encoder)) if uses_gpu(encoder) else nullcontext(0) as gpu:
        loaded = _loaded(encoder, json.dumps(dict(options), sort_keys=True), wanted_id, gpu)
        # After the model is loaded: only libraries that are there can be told.
        limit_worker_threads(_n_threads())
        yield loaded


def with_chunk(items: DataFrame, n_chunks: int) -> DataFrame:
    """Adds ``chunk``, 0 to ``n_chunks`` - 1: by a hash of item_id, the same whenever it is asked for."""
    chunk = F.pmod(F.xxhash64(F.lit("chunk"), Col.item_id), F.lit(n_chunks)).cast("int")
    return items.select("*", chunk.alias(Col.chunk))


def _encode(
    batches: Iterable[pa.RecordBatch], *, of_worker: Callable[[], AbstractContextManager[Encoder]], batch_size: int
) -> Iterator[pa.RecordBatch]:
    with of_worker() as encoder:
        yield from embedded(_items(batches, batch_size), encoder, batch_size=batch_size)


def _items(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[Item]:
    for rows, contents in whole(batches, n_rows=n_rows, n_bytes=BYTES_OF_BATCH):
        columns = (rows.column(name).to_pylist() for name in (Col.item_id, Col.key, Col.uri))
        yield from map(Item, *columns, contents, rows.column(Col.n_bytes).to_pylist())


@cache
def _loaded(name: str, options: str, wanted_id: str, gpu: int) -> Encoder:
    """Once a worker; again where the same name has become another model.

    Raises:
        ConfigError: the model cannot be loaded, or is another than the driver's.
    """
    given = json.loads(options)
    loaded = load_encoder(name, gpu=gpu, n_threads=_n_threads(), **given)
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
