"""YAML and dotted overrides -> frozen, validated models. Unknown keys are refused, with the nearest known one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from equipoise.config.benchmark import Benchmark
from equipoise.config.clustering import Cluster, DriverLimit, Level, Resampling
from equipoise.config.evaluation import Compare, Evaluate, LabelledSet, Report, Variant
from equipoise.config.messages import explain
from equipoise.config.sections import Section
from equipoise.config.sources import EmbeddingsSource, ImagesSource, Source, TableSource, TextsSource
from equipoise.errors import ConfigError

__all__ = [
    "Benchmark",
    "Cluster",
    "Compare",
    "Config",
    "DriverLimit",
    "Embed",
    "EmbeddingsSource",
    "Evaluate",
    "ImagesSource",
    "LabelledSet",
    "Level",
    "Report",
    "Resampling",
    "Section",
    "Selection",
    "Source",
    "TableSource",
    "TextsSource",
    "Variant",
    "load_config",
    "validated",
]


class Embed(Section):
    """Which encoder makes the vectors; keys beside these are the encoder's own options, checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    encoder: str
    batch_size: PositiveInt = 256
    items_per_commit: PositiveInt = 1_000_000

    @property
    def options(self) -> dict[str, Any]:
        """The encoder's own options."""
        return dict(self.model_extra or {})


Target = Annotated[int, Field(ge=1, lt=2**62)]


class Selection(Section):
    """One named selection over the clustering (DESIGN of the rules: README, "Sampling").

    ``targets`` stand for as many selections, NAME-TARGET each: a config holds those in its place.
    """

    name: Annotated[str, Field(pattern=r"^[\w\-]+$")]
    target: Target | None = None
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] | None = Field(default=None, exclude=True)
    per_cluster: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    method: Literal["hierarchical", "flat"] = "hierarchical"
    within: Literal["random", "closest", "farthest"] = "random"
    max_copies: Annotated[int, Field(ge=1, le=1000)] = 1
    where: str | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.name == "pool":
            raise ValueError(
                "a selection named 'pool' cannot be told from the whole pool in metrics: take another name"
            )
        given = [key for key in ("target", "targets", "per_cluster") if getattr(self, key) is not None]
        if not given:
            raise ValueError(f"selection {self.name!r} needs one of target and per_cluster, or targets")
        if len(given) > 1:
            raise ValueError(f"selection {self.name!r} has both {' and '.join(given)}: keep one")
        return self


def _each_target(selections: tuple[Selection, ...]) -> tuple[Selection, ...]:
    """The selections, in the place of one with ``targets`` one for each."""
    return tuple(
        selection.model_copy(update={"name": f"{selection.name}-{target}", "target": target, "targets": None})
        if selection.targets
        else selection
        for selection in selections
        for target in selection.targets or (None,)
    )


class Config(Section):
    """A whole run. Stages whose section is absent are not run; without a source there is nothing but a benchmark."""

    name: Annotated[str, Field(pattern=r"^[\w\-.]+$")]
    workspace: str
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    source: Source | None = None
    embed: Embed | None = None
    cluster: Cluster | None = None
    select: Annotated[tuple[Selection, ...], AfterValidator(_each_target)] = ()
    evaluate: Evaluate | None = None
    compare: Compare | None = None
    benchmark: Benchmark | None = None
    report: Report | None = None
    spark: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _spark_values_are_text(cls, values: Any) -> Any:
        spark = values.get("spark") if isinstance(values, dict) else None
        if not isinstance(spark, dict):
            return values
        return {**values, "spark": _spark_settings(spark)}

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if self.source is None and (self.embed or self.cluster or not self.benchmark):
            raise ValueError("source: is needed and not there; only benchmark does without")
        if self.source and self.source.kind == "embeddings" and self.embed:
            raise ValueError("source.kind: embeddings brings its vectors; drop the section embed")
        names = [selection.name for selection in self.select]
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"select has {names.count(name)} entries named {name!r}; names must differ")
        if self.select and not self.cluster:
            raise ValueError("select samples clusters: add the section cluster")
        if self.compare and not self.cluster:
            raise ValueError("compare varies clusterings: add the section cluster")
        if self.evaluate and not (self.select or self.compare):
            raise ValueError("evaluate measures selections: add the section select")
        return self

    @property
    def pool_source(self) -> Source:
        """The source of the pool.

        Raises:
            ConfigError: there is none, since the config is for a benchmark alone.
        """
        if self.source is None:
            raise ConfigError(f"config {self.name!r} has no section 'source': add it to curate a pool")
        return self.source


def _spark_settings(values: dict[Any, Any], prefix: str = "") -> dict[str, str]:
    """Spark's dotted keys, also where an override like ``spark.spark.master=...`` made mappings of their parts."""
    settings: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            settings |= _spark_settings(value, f"{name}.")
        else:
            settings[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return settings


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads a YAML file, applies ``dotted.key=value`` overrides and validates the whole.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown, a value is of the wrong type or out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"config {path} does not exist; the examples are in conf/")
    try:
        tree = OmegaConf.load(path)
        _refuse_bare_keys(path)
        for override in overrides:
            key, equals, value = override.partition("=")
            if not equals:
                raise ConfigError(f"override {override!r} is not of the form dotted.key=value")
            if not value:
                raise ConfigError(f"override {override!r} has no value: null drops a section, {{}} has its defaults")
            OmegaConf.update(tree, key, yaml.safe_load(value), merge=True)
        values = OmegaConf.to_container(tree, resolve=True)
    except (OmegaConfBaseException, yaml.YAMLError, AttributeError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(f"config {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"config {path} is no mapping of sections; the examples are in conf/")
    return validated({"name": path.stem} | {str(key): value for key, value in values.items()}, place=f"config {path}")


def _refuse_bare_keys(path: Path) -> None:
    """Raises ConfigError for a key with nothing behind its colon: whether the section is wanted cannot be told."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if isinstance(value, yaml.ScalarNode) and not (value.value or value.style):
            raise ConfigError(
                f"config {path}: nothing stands after {key.value!r}: write its keys ({{}} for none of them), or drop it"
            )


def validated(values: dict[str, Any], *, place: str) -> Config:
    """The values of all sections as a config; ``place`` is where they come from, for the message.

    Raises:
        ConfigError: a key is unknown, a value is of the wrong type or out of range.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{place}: {explain(error)}") from error
