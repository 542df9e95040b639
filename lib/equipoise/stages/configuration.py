"""A whole config: the header, and the section of every stage."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import create_model

from equipoise.config import Config, load, validated
from equipoise.runs.graph import Graph
from equipoise.runs.stage import Stage
from equipoise.stages import STAGES


def config_of(stages: Sequence[Stage[Any]]) -> type[Config]:
    """The model of a config with the sections of ``stages``."""
    sections = {stage.family: (stage.section, stage.default) for stage in stages if stage.section is not None}
    model: type[Config] = create_model("Config", __base__=Config, **sections)  # type: ignore[call-overload]
    return model


WholeConfig = config_of(STAGES)


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads a YAML file, applies ``dotted.key=value`` overrides and validates the whole, stage by stage.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown, a value is of the wrong type or out of range.
    """
    return load(WholeConfig, path, overrides)


def config_from(values: dict[str, Any], *, place: str = "config") -> Config:
    """The values of all sections as a config; ``place`` is where they come from, for the message.

    Raises:
        ConfigError: a key is unknown, a value is of the wrong type or out of range.
    """
    return validated(WholeConfig, values, place=place)


def graph_of(config: Config) -> Graph:
    """The nodes of a config.

    Raises:
        ConfigError: sections do not fit together.
    """
    return Graph(config, STAGES)
