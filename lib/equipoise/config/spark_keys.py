"""Spark's own keys whose values a config can get wrong: looked at before Spark starts, which would end in a trace."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.errors import ConfigError

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
"""As Spark writes sizes: ``64g``."""


@dataclass(frozen=True)
class _Kind:
    form: re.Pattern[str]
    meaning: str


_COUNT = _Kind(re.compile(r"0*[1-9]\d{0,8}"), "must be a whole number above 0")
_SIZE = _Kind(re.compile(rf"(?:{SIZE.pattern})", re.IGNORECASE), "must be a size, such as 512m or 64g")
_FACTOR = _Kind(re.compile(r"\d*\.?\d+"), "must be a number")
_FLAG = _Kind(re.compile(r"true|false", re.IGNORECASE), "must be true or false")
_SHARE = _Kind(re.compile(r"0?\.\d+|[01](?:\.\d*)?"), "must be a number from 0 to 1")
_MASTER = _Kind(
    re.compile(
        r"local(?:\[\s*(?:[1-9]\d*|\*)\s*(?:,\s*\d+\s*)?\])?|local-cluster\[[\d\s,]+\]|yarn|[A-Za-z][\w+.\-]*://\S+"
    ),
    "must be a master that Spark knows, such as local[4], yarn, spark://HOST:PORT or k8s://HOST: write one, or drop it",
)
_FLAGS = re.compile(r"spark\.sql\.(?!catalog\.).+\.enabled")
"""Keys of Spark SQL; options of a catalog are its own."""
KINDS: Mapping[str, _Kind] = {
    **dict.fromkeys(
        (
            "spark.sql.shuffle.partitions",
            "spark.default.parallelism",
            "spark.databricks.delta.snapshotPartitions",
            "spark.executor.cores",
            "spark.executor.instances",
            "spark.driver.cores",
            "spark.task.cpus",
            "spark.task.maxFailures",
        ),
        _COUNT,
    ),
    **dict.fromkeys(
        (
            "spark.executor.memory",
            "spark.executor.memoryOverhead",
            "spark.executor.pyspark.memory",
            "spark.driver.memory",
            "spark.driver.memoryOverhead",
            "spark.driver.maxResultSize",
        ),
        _SIZE,
    ),
    **dict.fromkeys(
        (
            "spark.ui.enabled",
            "spark.ui.showConsoleProgress",
            "spark.dynamicAllocation.enabled",
            "spark.eventLog.enabled",
            "spark.shuffle.service.enabled",
            "spark.python.unix.domain.socket.enabled",
            "spark.python.worker.reuse",
        ),
        _FLAG,
    ),
    **dict.fromkeys(("spark.executor.memoryOverheadFactor", "spark.driver.memoryOverheadFactor"), _FACTOR),
    **dict.fromkeys(("spark.memory.fraction", "spark.memory.storageFraction"), _SHARE),
    "spark.master": _MASTER,
}


def problem_of(key: str, value: str) -> str | None:
    """What is wrong with the value of a key; None where nothing is known to be."""
    if not key.strip():
        return "needs the name of a key of Spark's"
    kind = _FLAG if _FLAGS.fullmatch(key) else KINDS.get(key)
    return None if kind is None or kind.form.fullmatch(value.strip()) else kind.meaning


def as_text(value: Any) -> str:
    """A value as Spark writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked_settings(settings: Any, place: str) -> dict[str, str]:
    """Keys and values as texts; ``place`` is where they come from, for the message.

    Raises:
        ConfigError: they are no mapping of texts, or a value is none of its key's.
    """
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{place} must be a mapping of Spark's keys to values (got {settings!r})")
    for key, value in settings.items():
        is_value = isinstance(value, str | int | float)
        problem = problem_of(str(key), as_text(value)) if is_value else "must be a text, a number or a boolean"
        if problem or not isinstance(key, str):
            raise ConfigError(f"{place}: {key!r} {problem or 'must be the name of a key'} (got {value!r})")
    return {key: as_text(value) for key, value in settings.items()}
