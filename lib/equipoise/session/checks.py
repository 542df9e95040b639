"""Compares the session that is there with what Equipoise needs, and says which flag mends the difference."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyspark
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession
from pyspark.sql.utils import is_remote

from equipoise.errors import SessionError
from equipoise.session.defaults import DELTA, DELTA_EXTENSION, FLAGS, LISTS

log = logging.getLogger("equipoise")


def delta_packages(extra: Sequence[str]) -> str:
    """The Maven coordinates of Delta for the installed Spark, then the `extra` ones, for --packages."""
    from delta import configure_spark_with_delta_pip  # not on platforms that bring a Delta of their own

    builder = configure_spark_with_delta_pip(SparkSession.builder, extra_packages=list(extra))
    return str(builder._options["spark.jars.packages"])


def flag(key: str, value: str) -> str:
    """How spark-submit is told `key`: `--driver-memory 6g`, `--conf spark.x=y`."""
    return f"{FLAGS[key]} '{value}'" if key in FLAGS else f"--conf '{key}={value}'"


def check_classic(spark: SparkSession | None = None) -> None:
    """Refuses Spark Connect: the blocks of vectors are an RDD, which it does not have."""
    asked = bool(os.environ.get("SPARK_REMOTE")) or os.environ.get("SPARK_API_MODE", "").lower() == "connect"
    if asked or is_remote() or (spark is not None and type(spark).__module__.startswith("pyspark.sql.connect")):
        raise SessionError(
            "this is a Spark Connect session; Equipoise needs a classic one (RDDs): unset SPARK_REMOTE and "
            "SPARK_API_MODE; on Databricks choose a cluster of dedicated access, not shared or serverless"
        )


def check_delta(spark: SparkSession) -> None:
    """Refuses a session without Delta, and says how to start one that has it."""
    # Databricks builds Delta into Spark under names of its own.
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return
    missing = [f"{key}={value}" for key, value in DELTA.items() if not _is_set(spark, key)]
    if not _has_class(spark, DELTA_EXTENSION):
        missing.insert(0, f"the JAR with {DELTA_EXTENSION}")
    if missing:
        flags = " ".join(flag(key, value) for key, value in DELTA.items())
        raise SessionError(
            f"this session of Spark {pyspark.__version__} has no Delta Lake; it lacks {', '.join(missing)}. "
            "Start it by `SPARK_CONF_DIR=conf/spark/local spark-submit ...`, by "
            "`spark-submit --properties-file conf/spark/local/spark-defaults.conf ...`, or add "
            f"`--packages {delta_packages([])} {flags}` (without a network: --jars with Delta's JARs)"
        )


def warn_of_differences(spark: SparkSession, wanted: Mapping[str, str]) -> None:
    """Names every key that the session has otherwise than `wanted`, with the flag that sets it at start."""
    for key, value in wanted.items():
        actual = spark.conf.get(key, None)
        parts = value.split(",") if key in LISTS else []
        is_same = actual is not None and actual.removeprefix("file:") == value.removeprefix("file:")
        if is_same or (parts and all(part in (actual or "") for part in parts)):
            continue
        log.warning(
            "%s is %s here, not %s as wanted: it cannot change while Spark runs; pass spark-submit %s",
            key,
            "not set" if actual is None else actual,
            value,
            flag(key, value),
        )


def _is_set(spark: SparkSession, key: str) -> bool:
    actual = spark.conf.get(key, None) or ""
    # A catalog may be another one that wraps Delta's (Unity); the extension is Delta's or absent.
    return DELTA_EXTENSION in actual if key == "spark.sql.extensions" else bool(actual)


def _has_class(spark: SparkSession, name: str) -> bool:
    jvm: Any = spark.sparkContext._jvm
    try:
        jvm.java.lang.Thread.currentThread().getContextClassLoader().loadClass(name)
    except Py4JError:
        return False
    return True
