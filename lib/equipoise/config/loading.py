"""A file and overrides -> a validated model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import Container, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from equipoise.config.messages import explain
from equipoise.config.sections import Section
from equipoise.config.spark_keys import as_text
from equipoise.errors import ConfigError

Model = TypeVar("Model", bound=Section)
DEEPEST = 20
"""Parts of the key of an override, those of a key of Spark's counted."""
_OF_SPARK = "spark."
_UNREADABLE = (OmegaConfBaseException, yaml.YAMLError, AttributeError, ValueError, IndexError, TypeError, OSError)


def spark_settings(values: dict[Any, Any], prefix: str = "") -> dict[str, str]:
    """Spark's dotted keys, also where an override made mappings of their parts, or their ``spark.`` was left out.

    So ``spark.executor.memory=64g`` is an override of Spark's key of that name.
    """
    settings: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            settings |= spark_settings(value, f"{name}.")
        else:
            settings[name if name.startswith(_OF_SPARK) else f"{_OF_SPARK}{name}"] = as_text(value)
    return settings


def load(model: type[Model], path: str | Path, overrides: Iterable[str] = ()) -> Model:
    """Reads a YAML file, applies ``dotted.key=value`` overrides and validates the whole.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown, a value is of the wrong type or out of range.
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides must be a list of dotted.key=value, not the one text {overrides!r}")
    path = Path(path)
    if not path.is_file():
        what = "is a folder: name a file in it" if path.is_dir() else "does not exist; the examples are in conf/"
        raise ConfigError(f"config {path} {what}")
    try:
        tree = OmegaConf.load(path)
        _refuse_bare_keys(path)
        for override in overrides:
            _override(tree, override)
        values = OmegaConf.to_container(tree, resolve=True)
    except RecursionError as error:
        raise ConfigError(f"config {path} cannot be read: it, or an override, is nested too deeply") from error
    except _UNREADABLE as error:
        raise ConfigError(f"config {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"config {path} is no mapping of sections; the examples are in conf/")
    return validated(
        model, {"name": path.stem} | {str(key): value for key, value in values.items()}, place=f"config {path}"
    )


def _override(tree: Container, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r} is not of the form dotted.key=value")
    if not value:
        raise ConfigError(f"override {override!r} has no value: null drops a section, {{}} has its defaults")
    if key.count(".") + key.count("[") > DEEPEST:
        raise ConfigError(f"override {override[:60]!r}... has more than {DEEPEST} parts: no key lies so deep")
    # As the file's values are read: 1e9 is a number there.
    OmegaConf.update(tree, key, OmegaConf.from_dotlist([f"value={value}"])["value"], merge=True)


def _refuse_bare_keys(path: Path) -> None:
    """Raises ConfigError for a key with nothing behind its colon: whether the section is wanted cannot be told."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if isinstance(value, yaml.ScalarNode) and not (value.value or value.style):
            raise ConfigError(
                f"config {path}: nothing stands after {key.value!r}: write its keys ({{}} for none of them), or drop it"
            )


def validated(model: type[Model], values: dict[str, Any], *, place: str) -> Model:
    """The values of all sections as a config; ``place`` is where they come from, for the message.

    Raises:
        ConfigError: a key is unknown, a value is of the wrong type or out of range.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{place}: {explain(error)}") from error
