"""From a config to the stages of its run, in order."""

from functools import partial
from typing import Any

from pyspark.sql import functions as F

from equipoise.config import Benchmark, Config, EmbeddingsSource, Evaluate, Section, Selection
from equipoise.errors import ConfigError
from equipoise.evaluation import benchmarks
from equipoise.evaluation.metrics import NAMES
from equipoise.runs.context import StageContext
from equipoise.runs.run import Stage
from equipoise.schemas import (
    ASSIGNMENTS,
    CENTROIDS,
    CHECKPOINTS,
    CURATED,
    EMBEDDINGS,
    FAILURES,
    ITERATIONS,
    METRICS,
    POOL,
    REJECTS,
    Col,
)
from equipoise.stages import benchmark, cluster, embed, evaluate, ingest, select
from equipoise.stages.benchmark import states

HOW_NOT_WHAT = {"batch_size", "items_per_commit", "checkpoint_every"}
"""Keys that change how a stage works but not what it makes: changing them refuses nothing."""


def stages_of(config: Config) -> list[Stage]:
    """The stages that the config names, each standing on those before it (selections on no other selection)."""
    if config.source is None:
        return []
    made = [POOL, EMBEDDINGS]
    stages = [Stage("ingest", _settings(config.source), [], made, ingest.ingest, _clear_ingest, _forget_items)]
    if config.embed:
        stages.append(
            Stage("embed", _settings(config.embed), made, [EMBEDDINGS], embed.embed, _clear_embed, _forget_vectors)
        )
    if config.cluster:
        what = {**_settings(config.cluster), "seed": config.seed}
        tree = [ASSIGNMENTS, CENTROIDS]
        stages.append(Stage("cluster", what, made, tree, cluster.cluster, _clear_cluster))
    stages += [_selection_stage(config, selection) for selection in config.select]
    return stages + ([_evaluation_stage(config, config.evaluate)] if config.evaluate and config.select else [])


def family_of(config: Config, family: str) -> list[Stage]:
    """The stages of one job: one, or all selections.

    Raises:
        ConfigError: the config has no section for it.
    """
    apart = [_benchmark_stage(config, config.benchmark)] if config.benchmark else []
    stages = [stage for stage in [*stages_of(config), *apart] if stage.family == family]
    if not stages:
        if family == "embed" and isinstance(config.source, EmbeddingsSource):
            raise ConfigError(
                "source.kind: embeddings brings its vectors, there is nothing to embed: go on with cluster"
            )
        if family == "evaluate" and config.evaluate:
            raise ConfigError(f"config {config.name!r} selects nothing: add the section 'select', or run its compare")
        missing = family if config.source else "source"
        raise ConfigError(f"config {config.name!r} has no section {missing!r}: add it to run this stage")
    return stages


def _selection_stage(config: Config, selection: Selection) -> Stage:
    return Stage(
        f"select:{selection.name}",
        {**_settings(selection), "seed": config.seed},
        [ASSIGNMENTS, CENTROIDS],
        [],
        partial(select.select, selection=selection),
        partial(_clear_selection, selection=selection),
    )


def _evaluation_stage(config: Config, section: Evaluate) -> Stage:
    return Stage(
        "evaluate",
        {**_settings(section), "seed": config.seed},
        [POOL, ASSIGNMENTS, CENTROIDS, CURATED],
        [],
        evaluate.evaluate,
        _clear_evaluation,
        only_judges=True,
    )


def _benchmark_stage(config: Config, section: Benchmark) -> Stage:
    """No stage of ``curate``: models are trained between a curation and its benchmarks."""
    what = {**_settings(section), "seed": config.seed}
    return Stage(
        "benchmark", what, [], [], benchmark.benchmark, _clear_benchmark, only_judges=True, outside=states.states
    )


def _settings(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", exclude=HOW_NOT_WHAT)


def _clear_ingest(context: StageContext) -> None:
    context.workspace.delete(REJECTS, where={Col.run_id: context.run_id, Col.stage: ingest.STAGE})


def _forget_items(context: StageContext) -> None:
    """The items of this source go, and its ready-made vectors, so that changed files are read anew."""
    source = context.config.pool_source
    if isinstance(source, EmbeddingsSource):
        context.workspace.delete(EMBEDDINGS, where={Col.encoder_id: embed.encoder_id_of(context.config)})
    context.workspace.delete(POOL, where={Col.source: source.source_name})


def _clear_embed(context: StageContext) -> None:
    context.workspace.delete(REJECTS, where={Col.run_id: context.run_id, Col.stage: embed.STAGE})


def _forget_vectors(context: StageContext) -> None:
    """The vectors of this source go, so that they are computed anew; those of other sources stay."""
    encoder = F.lit(embed.encoder_id_of(context.config)).alias(Col.encoder_id)
    context.workspace.delete_matching(EMBEDDINGS, context.items().select(encoder, Col.item_id))


def _clear_cluster(context: StageContext) -> None:
    context.workspace.delete(REJECTS, where={Col.run_id: context.run_id, Col.stage: cluster.STAGE})
    for table in (CHECKPOINTS, ITERATIONS, CENTROIDS, ASSIGNMENTS, CURATED):
        context.workspace.delete(table, where={Col.run_id: context.run_id})
    _clear_evaluation(context)


def _clear_selection(context: StageContext, selection: Selection) -> None:
    context.workspace.delete(CURATED, where={Col.run_id: context.run_id, Col.selection: selection.name})


def _clear_evaluation(context: StageContext) -> None:
    context.workspace.delete(METRICS, where={Col.run_id: context.run_id, Col.name: NAMES})


def _clear_benchmark(context: StageContext) -> None:
    context.workspace.delete(METRICS, where={Col.run_id: context.run_id, Col.name: benchmarks.NAMES})
    context.workspace.delete(FAILURES, where={Col.run_id: context.run_id})
