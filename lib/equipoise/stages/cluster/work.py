"""Vectors of the pool -> the levels that the run does not have yet."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError, RunError
from equipoise.kernels.levels import KMeans, LevelState
from equipoise.kernels.placement import DriverLimit, partitions_for
from equipoise.kernels.vectors import Vectors
from equipoise.pipeline.blocks import LARGEST_HALF, is_too_large_for_half, is_zero
from equipoise.pipeline.fitting import Fitting
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.hierarchy import FITS, open_vectors
from equipoise.pipeline.items import TOO_LARGE, rejects
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import CHECKPOINTS, REJECTS, Col
from equipoise.stages.cluster.levels import as_level
from equipoise.stages.cluster.section import Cluster
from equipoise.tables import DeltaCheckpoint

ZERO_VECTOR = "zero_vector"


def cluster(context: Context, settings: Cluster) -> Account:
    """Builds the levels that the run does not have yet.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
    """
    n_in = context.n_vectors()
    n_rejected = _reject_unusable(context, settings)
    n_usable = n_in - n_rejected
    _check_size(settings, n_usable)
    opened: list[Vectors] = []
    levels = FITS[settings.tree](
        lambda: _opened(context, settings, n_usable, opened.append),
        [as_level(level) for level in settings.levels],
        fitting=_fitting(context, settings),
    )
    if not context.is_first_attempt:  # it may have been killed between a level's commit and this
        context.workspace.clear(context.own(CHECKPOINTS))
    n_items = levels[0].total_items()
    dim = opened[0].dim if opened else _dim(context)
    n_partitions = settings.partitions or partitions_for(n_items, dim)
    return Account(n_in, n_items, n_rejected, n_partitions=n_partitions)


def _fitting(context: Context, settings: Cluster) -> Fitting:
    checkpoint = DeltaCheckpoint(
        context.workspace, context.run_id, context.node.name, len(settings.levels), is_new=context.is_first_attempt
    )

    def on_step(number: int, state: LevelState) -> None:
        checkpoint.record(number, state)
        context.progress.iteration(number, len(settings.levels), state)

    assert context.node.seed is not None
    return Fitting(
        kmeans=KMeans(settings.metric, settings.seeding, settings.iterations, settings.tolerance),
        seed=context.node.seed,
        spark=context.spark,
        driver_limit=DriverLimit(settings.driver_limit.bytes, settings.driver_limit.flops),
        checkpoint=checkpoint,
        checkpoint_every=settings.checkpoint_every,
        on_step=on_step,
        say=context.progress.message,
        backend=settings.backend,
        split_bytes=int(settings.split_bytes),
    )


def _opened(context: Context, settings: Cluster, n_expected: int, note: Callable[[Vectors], None]) -> Vectors:
    """The vectors as they lie; held against the items where there are others, which another run added meanwhile."""
    opened = _open(context.vectors(), settings)
    if opened.count != n_expected:
        with opened:
            items = context.items().select(Col.item_id)
            opened = _open(context.vectors().join(items, Col.item_id, "left_semi"), settings)
        if opened.count != n_expected:
            with opened:
                raise RunError(
                    f"{opened.count:,} vectors are there of the {n_expected:,} items that go on: another run removed "
                    "some while this one read them; bring them again by --force of the stage that makes vectors"
                )
    note(opened)
    return opened


def _open(embeddings: DataFrame, settings: Cluster) -> Vectors:
    unusable = _unusable(settings)
    return open_vectors(
        embeddings if unusable is None else embeddings.filter(~unusable[0]),
        spherical=settings.metric == "cosine",
        partitions=settings.partitions,
        half=settings.half,
        backend=settings.backend,
    )


def _unusable(settings: Cluster) -> tuple[Column, str, str] | None:
    """Which vectors this clustering cannot take, the reason and its detail; None where it takes all that are there."""
    if settings.metric == "cosine":  # vectors of unit length fit into float16, whatever they were
        return is_zero(Col.embedding), ZERO_VECTOR, "a vector of zeros has no direction, which metric: cosine needs"
    if settings.half:
        detail = f"a number is beyond {LARGEST_HALF:.0f}, the largest of float16, which half: true makes of it"
        return is_too_large_for_half(Col.embedding), TOO_LARGE, detail
    return None


def _reject_unusable(context: Context, settings: Cluster) -> int:
    """Writes the items whose vectors cannot be taken to the rejects; returns how many."""
    unusable = _unusable(settings)
    if unusable is None:
        return 0
    is_bad, reason, detail = unusable
    bad = context.vectors().filter(is_bad).select(Col.item_id)
    with persisted(bad.join(context.items().select(Col.item_id, Col.key, Col.uri), Col.item_id, "inner")) as named:
        n_bad = named.count()
        if n_bad:
            refused = named.withColumn(Col.reason, F.lit(reason)).withColumn(Col.detail, F.lit(detail))
            context.write(REJECTS, rejects(refused, run_id=context.run_id, stage=context.node.name))
        return n_bad


def _dim(context: Context) -> int:
    first = context.vectors().select(F.size(Col.embedding)).first()
    assert first is not None, "there are vectors"
    return int(first[0])


def _check_size(settings: Cluster, n_vectors: int) -> None:
    if settings.levels[0].k > n_vectors:
        raise InputError(
            f"cluster.levels.0.k = {settings.levels[0].k} is above the number of usable embeddings, {n_vectors}: "
            "lower it, or bring more items"
        )
