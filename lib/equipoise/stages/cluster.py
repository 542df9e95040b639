"""The stage ``cluster``: embeddings -> the cluster tree and the level-1 cluster of every item."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise import config as settings
from equipoise.errors import InputError
from equipoise.kernels.levels import KMeans, LevelState
from equipoise.kernels.placement import DriverLimit, partitions_for
from equipoise.kernels.seeding import MOST_SOUGHT
from equipoise.pipeline.blocks import is_zero
from equipoise.pipeline.fitting import Fitting, fit_levels
from equipoise.pipeline.hierarchy import open_vectors
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import EMBEDDINGS, REJECTS, Col
from equipoise.stages.embed import encoder_id_of
from equipoise.stages.levels import as_level
from equipoise.tables import DeltaCheckpoint

STAGE = "cluster"


def cluster(context: StageContext) -> Account:
    """Builds the levels that the run does not have yet.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
    """
    section = _section(context)
    embeddings = embeddings_of_run(context)
    n_in = embeddings.count()
    n_rejected = _reject_zero_vectors(context, embeddings) if section.metric == "cosine" else 0
    _check_size(section, n_in - n_rejected)
    if section.seeding != "random" and any(as_level(level).k0 > MOST_SOUGHT for level in section.levels):
        context.progress.message(f"cluster: levels above {MOST_SOUGHT:,} clusters start from random centroids")
    checkpoint = DeltaCheckpoint(context.workspace, context.run_id, STAGE)

    def on_step(number: int, state: LevelState) -> None:
        checkpoint.record(number, state)
        context.progress.iteration(number, len(section.levels), state)

    levels = fit_levels(
        lambda: open_vectors(
            _filter_usable(embeddings, section.metric),
            spherical=section.metric == "cosine",
            partitions=section.partitions,
            half=section.half,
            backend=section.backend,
        ),
        [as_level(level) for level in section.levels],
        fitting=Fitting(
            kmeans=KMeans(section.metric, section.seeding, section.iterations, section.tolerance),
            seed=context.config.seed,
            spark=context.spark,
            driver_limit=DriverLimit(section.driver_limit.bytes, section.driver_limit.flops),
            checkpoint=checkpoint,
            checkpoint_every=section.checkpoint_every,
            on_step=on_step,
            say=context.progress.message,
            backend=section.backend,
            split_bytes=int(section.split_bytes),
        ),
    )
    n_partitions = section.partitions or _partitions(embeddings, n_in - n_rejected)
    return Account(n_in, levels[0].total_items(), n_rejected, n_partitions=n_partitions)


def embeddings_of_run(context: StageContext) -> DataFrame:
    """(item_id, embedding) of the run's encoder, for the items of its source."""
    embeddings = context.read(EMBEDDINGS).filter(F.col(Col.encoder_id) == encoder_id_of(context.config))
    items = context.items().select(Col.item_id)
    return embeddings.join(items, on=Col.item_id, how="left_semi").select(Col.item_id, Col.embedding)


def _section(context: StageContext) -> settings.Cluster:
    assert context.config.cluster is not None, "the stage is planned only where the config has its section"
    return context.config.cluster


def _filter_usable(embeddings: DataFrame, metric: str) -> DataFrame:
    return embeddings.filter(~is_zero(Col.embedding)) if metric == "cosine" else embeddings


def _reject_zero_vectors(context: StageContext, embeddings: DataFrame) -> int:
    zero = embeddings.filter(is_zero(Col.embedding)).join(
        context.items().select(Col.item_id, Col.key, Col.uri), Col.item_id, "inner"
    )
    rejects = zero.select(
        F.lit(context.run_id).alias(Col.run_id),
        Col.item_id,
        F.lit(STAGE).alias(Col.stage),
        Col.key,
        Col.uri,
        F.lit("zero_vector").alias(Col.reason),
        F.lit("a vector of zeros has no direction, which metric: cosine needs").alias(Col.detail),
    )
    where = {Col.run_id: context.run_id, Col.stage: STAGE}
    context.workspace.replace(REJECTS, rejects, where=where)
    written = context.workspace.read(REJECTS).filter(F.col(Col.run_id) == context.run_id)
    return written.filter(F.col(Col.stage) == STAGE).count()


def _partitions(embeddings: DataFrame, n_usable: int) -> int:
    """As `open_vectors` chooses them; a run that goes on above level 1 opens none."""
    first = embeddings.select(F.size(Col.embedding)).first()
    assert first is not None, "there are vectors"
    return partitions_for(n_usable, first[0])


def _check_size(section: settings.Cluster, n_vectors: int) -> None:
    if section.levels[0].k > n_vectors:
        raise InputError(
            f"cluster.levels.0.k = {section.levels[0].k} is above the number of usable embeddings, {n_vectors}: "
            "lower it, or bring more items"
        )
