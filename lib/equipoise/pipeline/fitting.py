"""The levels of a hierarchy, one after the other: each on Spark or, where it fits, on the driver."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.backends import BackendChoice, driver_kernel
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.levels import KMeans, Level, LevelState, fit_level
from equipoise.kernels.nearest import Floats
from equipoise.kernels.placement import LEAST_MEMBERS, SPLIT_BYTES, DriverLimit, least_split_bytes
from equipoise.kernels.seeding import seeded_bytes
from equipoise.kernels.splitting import split_arrays
from equipoise.kernels.vectors import ArrayVectors, Vectors
from equipoise.pipeline.assembly import with_level
from equipoise.pipeline.checkpoint import AnyAssignments, AnyLevel, Checkpoint, DistributedLevel, InMemory
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.reduction import most_result_bytes
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.splits import Inside, split
from equipoise.pipeline.told import told_by_workers
from equipoise.schemas import Col


@dataclass(frozen=True)
class Fitting:
    """How levels are fitted, and who is told.

    ``spark`` is where upper levels above the limit go (None keeps them on the driver); the state of a level on Spark is
    saved every ``checkpoint_every`` iterations; ``on_step`` is told level number and state after every iteration, and
    ``say`` in words what takes long without iterations, and which levels are too thin to resample. A task that splits
    clusters fits ``split_bytes`` at once.
    """

    kmeans: KMeans
    seed: int
    spark: SparkSession | None = None
    driver_limit: DriverLimit = field(default_factory=DriverLimit)
    checkpoint: Checkpoint = field(default_factory=InMemory)
    checkpoint_every: int = 5
    on_step: Callable[[int, LevelState], None] = lambda number, state: None
    say: Callable[[str], None] = lambda text: None
    backend: BackendChoice = "auto"
    split_bytes: int = SPLIT_BYTES

    def fits_driver(self, count: int, dim: int, level: Level) -> bool:
        """Whether a level of ``count`` vectors of ``dim`` numbers runs on the driver."""
        return self.driver_limit.holds(count, dim, level, iterations=self.kmeans.iterations)


@told_by_workers()
def fit_levels(
    first_input: Callable[[], AbstractContextManager[Vectors]], levels: Sequence[Level], *, fitting: Fitting
) -> tuple[AnyLevel, ...]:
    """Builds the levels that the checkpoint does not have, from the finest up.

    Args:
        first_input: opens the vectors of the items; only called where level 1 is still to be built.
        levels: what to build.
        fitting: how.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
        ConfigError: `spark.driver.maxResultSize` is too small for the sums of a level.
    """
    fitted: list[AnyLevel] = []
    for number, level in enumerate(levels, start=1):
        finished = fitting.checkpoint.load_level(number)
        if finished is not None:
            fitted.append(finished)
            continue
        with ExitStack() as stack:
            whole = stack.enter_context(first_input() if number == 1 else _as_input(fitted[-1], level, fitting))
            check_results(whole, levels[number - 1 :], fitting)
            if thin := level.thin_note(whole.count):
                fitting.say(f"level {number}: {thin}")
            vectors = placed(whole, level, fitting)
            centroids, labelled = stack.enter_context(_clusters(vectors, level, number=number, fitting=fitting))
            if number == 1:
                stored = fitting.checkpoint.save_assignments(labelled)
                labelled = stored if isinstance(labelled, DataFrame) else labelled
            elif isinstance(labelled, DataFrame):
                labelled = stack.enter_context(persisted(labelled))
            fitted = with_level(fitted, centroids, labelled)
            fitted[-2:] = fitting.checkpoint.save_level(number, fitted[-2:])
            if fitting.checkpoint.is_durable and isinstance(whole, SparkVectors):
                whole.take_back()
    return tuple(fitted)


@contextmanager
def _clusters(
    vectors: Vectors, level: Level, *, number: int, fitting: Fitting
) -> Iterator[tuple[Floats | DataFrame, AnyAssignments]]:
    """Centroids of one level and the cluster of every vector, as long as the context lasts."""
    coarse = fit_centroids(vectors, replace(level, k=level.k0, splits=1), number=number, fitting=fitting)
    if level.splits == 1:
        yield coarse, vectors.assignments(coarse)
        return
    fitting.say(f"level {number}: splitting {level.k0:,} coarse clusters into {level.splits} each")
    seed = seed_of_level(fitting, number)
    if isinstance(vectors, ArrayVectors):
        (centroids,), labelled = split_arrays(vectors, coarse, (level.splits,), kmeans=fitting.kmeans, seed=seed)
        yield centroids, labelled
        return
    assert isinstance(vectors, SparkVectors), "vectors are on the driver or on Spark"
    least = least_split_bytes(level.splits, vectors.dim)
    if least > fitting.split_bytes:
        fitting.say(
            f"level {number}: a task takes {least:,} bytes, above cluster.split_bytes of {fitting.split_bytes:,}: "
            f"{LEAST_MEMBERS} vectors for each of {level.splits} clusters is the least; lower splits for less"
        )
    inside = Inside((level.splits,), fitting.kmeans, seed)
    with split(vectors, coarse, inside, most_bytes=fitting.split_bytes) as fine:
        yield fine.centroids(), fine.assignments


def fit_centroids(vectors: Vectors, level: Level, *, number: int, fitting: Fitting) -> Floats:
    """Fits one level, from where an earlier run left it."""

    def after_step(state: LevelState) -> None:
        fitting.on_step(number, state)
        is_on_spark = not isinstance(vectors, ArrayVectors)
        is_due = state.step.is_last or state.step.iteration % fitting.checkpoint_every == 0
        if is_on_spark and is_due:
            fitting.checkpoint.save_state(number, state)

    return fit_level(
        vectors,
        level,
        kmeans=fitting.kmeans,
        seed=seed_of_level(fitting, number),
        state=fitting.checkpoint.load_state(number),
        on_step=after_step,
    )


def check_results(whole: Vectors, levels: Sequence[Level], fitting: Fitting) -> None:
    """Refuses levels of which the driver would not take the sums, the sample or the input, before any work for them.

    Raises:
        ConfigError: `spark.driver.maxResultSize` is too small.
    """
    if fitting.spark is None:
        return
    most, count = most_result_bytes(fitting.spark), whole.count
    _check_move(whole, levels[0], fitting, most=most)
    for level in levels:
        is_on_driver = fitting.fits_driver(count, whole.dim, level)
        needed = seeded_bytes(count, level.k0, whole.dim, seeding=fitting.kmeans.seeding)
        if not is_on_driver and most and needed > most:
            raise ConfigError(
                f"the sums of {level.k0:,} clusters of {whole.dim:,} numbers (k {level.k}, splits {level.splits}), or "
                f"what they are seeded from, take {needed:,} bytes on the driver, spark.driver.maxResultSize is "
                f"{most:,}: raise it, or raise splits"
            )
        count = level.k


def _check_move(whole: Vectors, level: Level, fitting: Fitting, *, most: int) -> None:
    moved = whole.count * (4 * whole.dim + 8)
    fits = fitting.fits_driver(whole.count, whole.dim, level)
    if isinstance(whole, SparkVectors) and fits and most and moved > most:
        raise ConfigError(
            f"{whole.count:,} vectors are within cluster.driver_limit and take {moved:,} bytes on their way to the "
            f"driver, spark.driver.maxResultSize is {most:,}: raise it, or lower cluster.driver_limit.bytes"
        )


def seed_of_level(fitting: Fitting, number: int) -> int:
    return derived_seed(fitting.seed, Purpose.SEEDING, number)


def placed(whole: Vectors, level: Level, fitting: Fitting) -> Vectors:
    """The vectors where the level is to run: on the driver if it fits."""
    fits = fitting.fits_driver(whole.count, whole.dim, level)
    return whole.to_arrays() if isinstance(whole, SparkVectors) and fits else whole


def _as_input(below: AnyLevel, level: Level, fitting: Fitting) -> Vectors:
    """The centroids of a level as what the next one, ``level``, clusters."""
    if isinstance(below, DistributedLevel):
        rows = below.rows.select(F.col(Col.cluster_id).alias(Col.item_id), F.col(Col.centroid).alias(Col.embedding))
        return SparkVectors.from_embeddings(rows, backend=fitting.backend)
    count, dim = below.centroids.shape
    if fitting.spark is None or fitting.fits_driver(count, dim, level):
        return ArrayVectors(below.centroids, below.cluster_ids, kernel=driver_kernel(fitting.backend))
    return SparkVectors.from_arrays(fitting.spark, below.centroids, below.cluster_ids, backend=fitting.backend)
