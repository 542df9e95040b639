"""Encoders and clusters in SQL and notebooks: pandas UDFs with the values of the stages ``embed`` and ``cluster``."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import pandas_udf

from equipoise.config import Embed, validated
from equipoise.encoders import Encoder, check_encoder
from equipoise.errors import ConfigError, RunError, SessionError
from equipoise.kernels.vectors import Ids, largest_value, unit_length
from equipoise.pipeline.checkpoint import ROWS, FittedLevel, level_of
from equipoise.pipeline.embedding import ready_encoder
from equipoise.pipeline.encoding import Item, embedded
from equipoise.pipeline.locating import is_local_alone
from equipoise.pipeline.workers import Assigner, assigner
from equipoise.runs.tables import RunTables, opened
from equipoise.schemas import CENTROIDS, EMBEDDINGS, Col, Slice
from equipoise.session import running_session

Udf = Callable[..., Any]
EMBED, NEAREST = "embed", "nearest_cluster"
"""What :func:`register_udfs` calls them."""
_CLUSTER = "cluster"


def embed_udf(encoder: str, **options: Any) -> Udf:
    """A pandas UDF: contents -> vectors, ARRAY<FLOAT>, as the stage ``embed`` has them; a model loads once a worker.

    Its column is BINARY, as ``content`` of the pool, or STRING: of an encoder of texts the text, of images the uri:
    where a pool keeps items by reference ``content`` is null, and ``uri`` says where they are. What is null, broken or
    has no usable vector gives null. Spark 3.5 hands it as many rows at a time as
    ``spark.sql.execution.arrow.maxRecordsPerBatch`` says, however large: lower that for large contents. The last bits
    of a vector may depend on which items share a batch, as in the stage; those of ``pixels`` do not.

    Args:
        encoder: as in a config's section ``embed``.
        options: the other keys of that section: the encoder's own, ``batch_size``, ``tasks_per_gpu``.

    Raises:
        ConfigError: what a config would be refused for; on one machine also a model that is not to be had.
    """
    section = validated(Embed, {"encoder": encoder, **options}, place="embed_udf")
    return _embed_udf(section, section.id)


def assign_udf(run_id: str, level: int = 1, *, workspace: str | os.PathLike[str]) -> Udf:
    """A pandas UDF: vectors, ARRAY<FLOAT> -> the cluster of a finished run, BIGINT, as in its table ``assignments``.

    The nearest cluster of level 1, by the metric of the run, and above it the cluster that that one is in. Null,
    another length than the centroids', NaN, and with cosine a vector of zeros give null. Where a level was clustered in
    two steps (``splits``), or the tree from the top down, items may lie in another cluster than the nearest.

    Args:
        run_id: a run whose clustering is finished.
        level: of the tree; 1 is the finest.
        workspace: a folder or ``catalog.schema``.

    Raises:
        SessionError: no Spark session runs.
        RunError: there is no such run or level, the clustering is not finished, or its centroids do not fit the driver.
    """
    spark = running_session()
    if spark is None:
        raise SessionError(
            "assign_udf reads the run by Spark, and no session runs: call equipoise.get_session() before"
        )
    with opened(spark, os.fspath(workspace), run_id) as run:
        return _assign_udf(run, level)


def register_udfs(
    spark: SparkSession,
    workspace: str | os.PathLike[str],
    *,
    run_id: str,
    level: int = 1,
    encoder: str | None = None,
    **options: Any,
) -> list[str]:
    """Registers ``embed(content)`` and ``nearest_cluster(embedding)`` for SQL; returns their names.

    Args:
        spark: the session.
        workspace: a folder or ``catalog.schema``.
        run_id: a run whose clustering is finished: its clusters, and the encoder that it was clustered by.
        level: see :func:`assign_udf`.
        encoder: in place of the run's; with its ``options``, see :func:`embed_udf`. A run of ready-made vectors has
            none, and then there is no ``embed`` without this.

    Raises:
        ConfigError: see :func:`embed_udf`; also a model that is not the run's any more.
        RunError: see :func:`assign_udf`; also several encoders of which none was named.
    """
    with opened(spark, os.fspath(workspace), run_id) as run:
        found = {NEAREST: _assign_udf(run, level)}
        if encoder is not None:
            found[EMBED] = embed_udf(encoder, **options)
        elif (own := _encoder_of(run)) is not None:
            found[EMBED] = _embed_udf(*own)
    for name, function in found.items():
        spark.udf.register(name, function)
    return sorted(found)


def _embed_udf(section: Embed, wanted_id: str) -> Udf:
    if is_local_alone():
        check_encoder(section.encoder, section.options)
    of_worker = partial(
        ready_encoder, section.encoder, section.options, wanted_id=wanted_id, tasks_per_gpu=section.tasks_per_gpu
    )

    def embed(contents: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from _vectors(contents, of_worker, section.batch_size)

    return pandas_udf(embed, EMBEDDINGS.types[Col.embedding])  # type: ignore[call-overload, no-any-return]


def _vectors(
    contents: Iterator[pd.Series], of_worker: Callable[[], AbstractContextManager[Encoder]], batch_size: int
) -> Iterator[pd.Series]:
    """A vector or null for each content, in series as long as those that come in."""
    lengths: deque[int] = deque()
    waiting: list[Any] = []
    with of_worker() as encoder:
        for found in embedded(_items(contents, lengths, encoder), encoder, batch_size=batch_size):
            waiting.extend(found.column(Col.embedding).to_pandas())
            while lengths and len(waiting) >= lengths[0]:
                n = lengths.popleft()
                yield pd.Series(waiting[:n], dtype=object)
                del waiting[:n]
    yield from (pd.Series([], dtype=object) for _ in lengths)  # batches of no rows


def _items(contents: Iterator[pd.Series], lengths: deque[int], encoder: Encoder) -> Iterator[Item]:
    for series in contents:
        lengths.append(len(series))
        for place, one in enumerate(series):
            if isinstance(one, str) and encoder.kind == "images":
                yield Item(place, None, one, None)
            elif isinstance(one, str):
                yield Item(place, None, None, one.encode())
            elif one is None or isinstance(one, bytes):
                yield Item(place, None, None, one)
            else:
                raise ConfigError(
                    f"{EMBED} reads BINARY contents or STRING, not values such as {one!r}: cast the column"
                )


@dataclass(frozen=True)
class _Nearest:
    """What finds clusters: of the run's metric, and the ids of clusters (k,) in the order of the centroids (k, d)."""

    assigner: Assigner
    cluster_ids: Ids
    dim: int
    spherical: bool
    half: bool

    def clusters(self, embeddings: pd.Series) -> pd.Series:
        """Ids, or null where a vector is none that the run would have clustered."""
        found: NDArray[Any] = np.full(len(embeddings), None, dtype=object)
        usable = [place for place, one in enumerate(embeddings) if self._is_usable(one)]
        if usable:
            vectors = np.stack([np.asarray(embeddings.iloc[place], dtype=np.float32) for place in usable])
            vectors = unit_length(vectors) if self.spherical else vectors
            labels, _ = self.assigner.nearest(vectors.astype(np.float16) if self.half else vectors)
            found[usable] = self.cluster_ids[labels]
        return pd.Series(found).astype("Int64")

    def _is_usable(self, embedding: Any) -> bool:
        if embedding is None or len(embedding) != self.dim:
            return False
        vector = np.asarray(embedding, dtype=np.float32)
        largest = np.abs(vector).max(initial=0)
        limit = largest_value(self.dim) if self.spherical or not self.half else np.finfo(np.float16).max
        return bool(largest <= limit) and bool(largest > 0 or not self.spherical)  # NaN is not within it


def _assign_udf(run: RunTables, level: int) -> Udf:
    if not run.done(_CLUSTER):
        raise RunError(f"run {run.run_id!r} has no finished clustering: start it again, and it goes on")
    settings = run.settings(_CLUSTER)
    n_levels = len(settings["levels"])
    if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= n_levels:
        raise RunError(f"level is {level!r}; run {run.run_id!r} has the levels 1 to {n_levels}")
    finest = below = _fitted(run, 1)
    clusters = finest.cluster_ids
    for number in range(2, level + 1):
        assert below.parents is not None, "all but the top have parents"
        clusters = below.parents[np.searchsorted(below.cluster_ids, clusters)]
        below = _fitted(run, number)
    nearest = _Nearest(
        assigner(run.spark, finest.centroids, "numpy"),
        clusters,
        finest.centroids.shape[1],
        spherical=settings["metric"] == "cosine",
        half=bool(settings.get("half")),
    )

    def nearest_cluster(embeddings: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from map(nearest.clusters, embeddings)

    return pandas_udf(nearest_cluster, "bigint")  # type: ignore[call-overload, no-any-return]


def _fitted(run: RunTables, level: int) -> FittedLevel:
    rows = run.workspace.read(Slice(CENTROIDS, {Col.run_id: run.run_id, Col.level: level})).select(*ROWS)
    found = level_of(rows)
    if isinstance(found, FittedLevel):
        return found
    raise RunError(f"the centroids of level {level} of run {run.run_id!r} are too large for the driver, and for a UDF")


def _encoder_of(run: RunTables) -> tuple[Embed, str] | None:
    """The encoder whose vectors were clustered, as the run has recorded it, and its id; None where there was none."""
    found = {one[Col.encoder_id]: one for one in map(run.settings, run.clustered_by(EMBED))}
    if not found:
        return None
    if len(found) > 1:
        raise RunError(
            f"run {run.run_id!r} was clustered by several encoders, {', '.join(found)}: name one by encoder="
        )
    ((wanted_id, settings),) = found.items()
    if "encoder" not in settings:
        raise RunError(f"run {run.run_id!r} has not recorded how {wanted_id} is loaded: give encoder= and its options")
    keys = ("encoder", "batch_size", "tasks_per_gpu")
    given = {key: settings[key] for key in keys if key in settings}
    section = validated(Embed, {**given, **settings["options"]}, place=f"run {run.run_id}")
    if section.id != wanted_id:
        raise ConfigError(
            f"encoder {section.encoder}: it is another model now ({section.id}) than run {run.run_id!r} was made by "
            f"({wanted_id}): bring that file or version back, or name another by encoder="
        )
    return section, wanted_id
