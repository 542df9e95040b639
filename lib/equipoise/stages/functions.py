"""The method as Python functions, for notebooks: their arguments are judged by the sections of a config."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as t

from equipoise.config import validated
from equipoise.config.header import Seed
from equipoise.errors import ConfigError, InputError, SessionError
from equipoise.kernels.backends import BackendChoice, choose
from equipoise.kernels.levels import Level, LevelState, Metric
from equipoise.kernels.placement import DriverLimit
from equipoise.kernels.seeding import Seeding
from equipoise.pipeline import hierarchy as pipeline
from equipoise.pipeline import selection
from equipoise.pipeline.hierarchy import Hierarchy, Tree
from equipoise.schemas import Col
from equipoise.session import running_session
from equipoise.stages.cluster.levels import as_level
from equipoise.stages.cluster.section import Cluster
from equipoise.stages.select.section import Selection

_WHOLE = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)
_NUMBERS = (*_WHOLE, t.FloatType, t.DoubleType)


class _Clustering(Cluster):
    """What :func:`fit_hierarchy` is asked for."""

    seed: Seed = 0


class _Sampling(Selection):
    """What :func:`select` is asked for."""

    name: str = Field(default="sample")
    seed: Seed = 0


def fit_hierarchy(
    vectors: ArrayLike | DataFrame,
    levels: Sequence[int | Level],
    *,
    metric: Metric = "euclidean",
    tree: Tree = "bottom_up",
    seed: int = 0,
    seeding: Seeding = "kmeans++",
    iterations: int = 50,
    tolerance: float = 1e-4,
    driver_limit: DriverLimit | None = None,
    backend: BackendChoice = "auto",
    on_step: Callable[[int, LevelState], None] = lambda number, state: None,
) -> Hierarchy:
    """Clusters vectors into a hierarchy: the whole method in one call, for notebooks.

    Args:
        vectors: (n, d) array, or DataFrame with item_id BIGINT, each once, and embedding ARRAY<FLOAT>, none null.
        levels: number of clusters from the finest up, or :class:`Level` where one is resampled.
        metric: squared Euclidean, or "cosine" (everything at unit length).
        tree: "bottom_up" (Vo et al. 2024), or "top_down" (each split into as many): each k a multiple of the next.
        seed: the same seed gives the same clustering, whatever the cores.
        seeding: "kmeans++" (greedy; as good by "kmeans||" where there are many vectors), "kmeans||" or "random".
        iterations, tolerance: a k-means takes at most so many, and stops at this relative change of its objective.
        driver_limit: up to which size a level of a DataFrame runs on the driver.
        backend: what assigns: numpy, torch, faiss; "auto" takes torch where there is a GPU, numpy elsewhere.
        on_step: told level number and state after every iteration.

    Raises:
        ConfigError: an argument that the section ``cluster`` of a config would not take, by its name.
        InputError: too few vectors, all equal, NaN, null, too large, zero with cosine, other lengths, an id twice.
    """
    limit = _checked_limit(driver_limit, on_step)
    asked = {
        "levels": _as_section(levels), "metric": metric, "tree": tree, "seed": seed, "seeding": seeding,
        "iterations": iterations, "tolerance": tolerance, "backend": backend,
    }  # fmt: skip
    judged = _judged(asked, limit)
    rows = _rows(vectors) if isinstance(vectors, DataFrame) else _array(vectors)
    return pipeline.fit_hierarchy(rows, driver_limit=limit, on_step=on_step, **judged)


def select(
    hierarchy: Hierarchy,
    *,
    target: int | None = None,
    per_cluster: int | None = None,
    method: str = "hierarchical",
    within: str = "random",
    max_copies: int = 1,
    where: str | None = None,
    level: int | None = None,
    seed: int = 0,
) -> DataFrame:
    """A balanced selection: item_id BIGINT, copies INT, cluster_id BIGINT (level 1), origin STRING.

    Args:
        hierarchy: what :func:`fit_hierarchy` returned.
        target: items to select; or
        per_cluster: a fixed number a cluster instead.
        method, within, max_copies, where, level, seed: see :class:`equipoise.pipeline.rules.Rule`.

    Raises:
        ConfigError: an argument that an entry of the section ``select`` of a config would not take, by its name.
        SessionError: arrays were clustered and no Spark session runs.
    """
    if not isinstance(hierarchy, Hierarchy):
        raise ConfigError(f"select: hierarchy must be what fit_hierarchy returned (got a {type(hierarchy).__name__})")
    asked = {
        "target": target, "per_cluster": per_cluster, "method": method, "within": within, "max_copies": max_copies,
        "where": where, "level": level, "seed": seed,
    }  # fmt: skip
    section = validated(_Sampling, _plain(asked), place="select")
    judged = {name: getattr(section, name) for name in asked}
    return selection.select(_session_of(hierarchy), hierarchy, **judged)


def _judged(asked: dict[str, Any], limit: DriverLimit) -> dict[str, Any]:
    """The arguments as the section has them, and a backend that is there."""
    given = {**asked, "driver_limit": {"bytes": limit.bytes, "flops": limit.flops}}
    section = validated(_Clustering, _plain(given), place="fit_hierarchy")
    choose(section.backend)
    return {name: getattr(section, name) for name in asked} | {"levels": [as_level(one) for one in section.levels]}


def _checked_limit(driver_limit: Any, on_step: Any) -> DriverLimit:
    """The limit, the default where none is given; it and ``on_step`` are objects, which no section has."""
    limit = DriverLimit() if driver_limit is None else driver_limit
    if not isinstance(limit, DriverLimit):
        raise ConfigError(f"fit_hierarchy: driver_limit must be a DriverLimit (got {limit!r})")
    if not callable(on_step):
        raise ConfigError(f"fit_hierarchy: on_step must be a function (got {on_step!r})")
    return limit


def _as_section(levels: Any) -> Any:
    """Levels as a config has them; what is none stays, for the section to refuse."""
    try:
        listed = [] if isinstance(levels, str | bytes | dict) else list(levels)
    except TypeError:
        return levels
    return [_level(level) for level in listed]


def _level(level: Any) -> Any:
    if not isinstance(level, Level):
        return {"k": level}
    resampling = {"resampling": {"rounds": level.rounds, "points": level.points}} if level.rounds else {}
    return {"k": level.k, "splits": level.splits, **resampling}


def _plain(value: Any) -> Any:
    """Python's own numbers in the place of numpy's."""
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _array(vectors: ArrayLike) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        array = np.asarray(vectors)
    except ValueError as error:
        raise InputError(f"vectors are no array (n, d): {error}") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"vectors are of the type {array.dtype}; k-means needs numbers, (n, d), all of one length")
    with np.errstate(over="ignore"):  # what is beyond float32 is told as not finite
        return array.astype(np.float32)


def _rows(vectors: DataFrame) -> DataFrame:
    """The two columns in their types.

    Raises:
        InputError: one is not there, or of another kind.
    """
    types = {name: vectors.schema[name].dataType for name in (Col.item_id, Col.embedding) if name in vectors.columns}
    for name, wanted in ((Col.item_id, "BIGINT"), (Col.embedding, "ARRAY<FLOAT>")):
        if name not in types:
            raise InputError(f"vectors have no column {name} ({wanted}); there are: {', '.join(vectors.columns)}")
        if vectors.columns.count(name) > 1:
            raise InputError(f"vectors have {vectors.columns.count(name)} columns named {name}: drop one")
    kind = types[Col.embedding]
    if not isinstance(types[Col.item_id], _WHOLE):
        said = types[Col.item_id].simpleString()
        raise InputError(
            f"vectors.{Col.item_id} is {said}, and ids are whole numbers: cast it to BIGINT, or number them"
        )
    if not (isinstance(kind, t.ArrayType) and isinstance(kind.elementType, _NUMBERS)):
        raise InputError(f"vectors.{Col.embedding} is {kind.simpleString()}; it must be ARRAY<FLOAT>: cast it")
    return vectors.select(
        vectors[Col.item_id].cast("bigint").alias(Col.item_id),
        vectors[Col.embedding].cast("array<float>").alias(Col.embedding),
    )


def _session_of(hierarchy: Hierarchy) -> SparkSession:
    if isinstance(hierarchy.assignments, DataFrame):
        return hierarchy.assignments.sparkSession
    session = running_session()
    if session is None:
        raise SessionError("select samples with Spark and no session runs: call equipoise.get_session() before")
    return session
