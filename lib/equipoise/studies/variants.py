"""The methods of a comparison -> the runs that make them: as many as there are different clusterings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.config import Compare, Config, Variant, identity
from equipoise.errors import ConfigError
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.configuration import config_from, graph_of
from equipoise.stages.evaluate import EVALUATE, check_fits
from equipoise.stages.evaluate.check import check_labelled
from equipoise.stages.evaluate.section import Evaluate
from equipoise.stages.running import Planned, planned
from equipoise.stages.select import SELECT
from equipoise.stages.select.section import Selection
from equipoise.studies.methods import clustering_of, default_variants


@dataclass(frozen=True)
class VariantRun:
    """One clustering: its run, a config with a selection for each method that shares it, and their names by method.

    A selection's name tells its rules too: in the same run, another budget makes others and replaces none.
    """

    run_id: str
    config: Config
    selections: Mapping[str, str]

    @property
    def methods(self) -> list[str]:
        """Names of the methods."""
        return list(self.selections)


def variants_of(config: Config) -> Sequence[Variant]:
    """The methods that are compared, in order: those of the config, or the default ones.

    Raises:
        ConfigError: the config has no section compare.
    """
    return compared(config).variants or default_variants(config)


def variant_runs(config: Config) -> list[VariantRun]:
    """The runs of a comparison, first the config's own clustering, in which all methods are measured.

    Raises:
        ConfigError: the config has no section compare, or what a method changes does not fit.
    """
    variants = variants_of(config)
    own = _run_of(config)
    runs = {own.run_id: own}
    for variant in variants:
        run = _run_of(config, variant)
        runs[run.run_id] = _joined(runs[run.run_id], run) if run.run_id in runs else run
    return list(runs.values())


def planned_runs(config: Config) -> list[tuple[VariantRun, Planned]]:
    """The runs of a comparison and what is to be done for each, after all checks that need no Spark.

    Raises:
        ConfigError: see :func:`variant_runs` and :func:`equipoise.stages.running.planned`.
        InputError: the labelled set of ``evaluate`` is not there, or has fewer vectors than vote.
    """
    section = EVALUATE.of(config) or Evaluate()
    check_fits(section, config, n_levels=len(clustering_of(config).levels))  # all are measured in the config's own tree
    check_labelled(section)
    return [(run, planned(run.config)) for run in variant_runs(config)]


def comparison_id(config: Config) -> str:
    """The run id under which the metrics of a comparison are kept: the same for the same methods and data."""
    made = [(run.run_id, identity(SELECT.of(run.config))) for run in variant_runs(config)]
    return f"{config.name}-compare-{_digest([made, identity(EVALUATE.of(config) or Evaluate())])}"


def _changed(config: Config, variant: Variant) -> dict[str, Any]:
    """The sections with what the variant changes; another encoder takes over none of the first one's options."""
    changed = {"cluster": {**clustering_of(config).model_dump(mode="json"), **variant.cluster}}
    if variant.deduplicate is not None:
        changed["deduplicate"] = variant.deduplicate
    if not variant.embed:
        return changed
    if config.embed is None:
        raise ConfigError(
            f"compare.variants, {variant.name}: the config has no encoder to change, as embed; of several encoders a "
            "variant names another by cluster.encoder"
        )
    kept = variant.embed.get("encoder", config.embed.encoder) == config.embed.encoder
    return {**changed, "embed": {**(config.embed.model_dump(mode="json") if kept else {}), **variant.embed}}


def _run_of(config: Config, variant: Variant | None = None) -> VariantRun:
    """The run of one method; without any, of the clusters that all are measured in."""
    values = {**config.model_dump(mode="json"), "evaluate": None, "compare": None, "select": []}
    if variant:
        values |= _changed(config, variant)
        values["select"] = [{**variant.select, "name": variant.name, "target": compared(config).target}]
    changed = config_from(values, place=f"compare.variants, {variant.name}" if variant else "compare")
    names = {selection.name: selection_name(selection, selection.name) for selection in SELECT.of(changed)}
    select = tuple(selection.model_copy(update={"name": names[selection.name]}) for selection in SELECT.of(changed))
    run_id = f"{config.name}-{_clustering_digest(changed)}"
    return VariantRun(run_id, _with_selections(changed, select), names)


def _clustering_digest(config: Config) -> str:
    """What tells clusterings apart: the fingerprints of all nodes up to the tree, which know what changes a result."""
    graph = graph_of(config)
    fingerprints: dict[str, str] = {}
    for node in graph.order:
        fingerprints[node.name] = node.fingerprint([fingerprints[name] for name in graph.parents(node.name)], {})
    return clustering_part(fingerprints[CLUSTER.family])


def clustering_part(fingerprint: str) -> str:
    """Of the fingerprint of a clustering what the id of its run ends with."""
    return fingerprint[:10]


def selection_name(selection: Selection, method: str) -> str:
    """What the selection of a method is called: its rules are in it, so that other rules replace none."""
    return f"{method}-{_digest(identity(selection.model_copy(update={'name': ''})))}"


def _with_selections(config: Config, select: tuple[Selection, ...]) -> Config:
    return config.model_copy(update={SELECT.family: select})


def _joined(run: VariantRun, other: VariantRun) -> VariantRun:
    """One run with the selections of two that have the same clustering."""
    select = (*SELECT.of(run.config), *SELECT.of(other.config))
    return VariantRun(run.run_id, _with_selections(run.config, select), {**run.selections, **other.selections})


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def compared(config: Config) -> Compare:
    """The section ``compare``.

    Raises:
        ConfigError: there is none.
    """
    if config.compare is None:
        raise ConfigError(f"config {config.name!r} has no section 'compare': add it, with the number of items, target")
    return config.compare
