"""The Spark session: the platform's where there is one, else a new one with Delta. The only getOrCreate."""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from equipoise.errors import SessionError
from equipoise.session.checks import check_classic, check_delta, delta_packages, warn_of_differences
from equipoise.session.defaults import DELTA, LAUNCH, LOCAL


def get_session(conf: Mapping[str, str] | None = None, *, name: str = "equipoise") -> SparkSession:
    """The running Spark session, or a new one with Delta, set as `conf` asks.

    Keys of `conf` that Spark takes at run time are set. The others count where the session starts here; in a
    JVM that was up before (spark-submit, a notebook's platform) a warning names those that differ.
    Raises SessionError where Spark cannot be used: no Java, no Delta, Spark Connect.
    """
    wanted = {key: str(value) for key, value in (conf or {}).items()}
    check_classic()
    # The active session belongs to a thread; a context without one has its default session.
    spark = SparkSession.getActiveSession()
    if spark is None:
        if SparkContext._active_spark_context is None:
            _start(wanted, name)
        spark = SparkSession.builder.getOrCreate()
    check_classic(spark)
    check_delta(spark)
    _silence_query_log()
    _silence_accumulators(spark)
    for key, value in wanted.items():
        # Delta's keys are unknown to Spark until its first use.
        if spark.conf.isModifiable(key) or key.startswith("spark.databricks.delta."):
            spark.conf.set(key, value)
    warn_of_differences(spark, wanted)
    return spark


def _silence_query_log() -> None:
    """PySpark 4 logs every query that it refuses, with its stack, beside raising what the caller reports."""
    with suppress(ImportError):  # Spark 3.5 has no such log
        from pyspark.logger import PySparkLogger

        for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
            PySparkLogger.getLogger(name).disabled = True


def _silence_accumulators(spark: SparkSession) -> None:
    """Their thread prints a stack when the JVM dies, beside what the caller is told."""
    server = getattr(spark.sparkContext, "_accumulatorServer", None)
    if server is None:
        return
    tell = type(server).handle_error

    def handle_error(request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], EOFError | ConnectionError):
            tell(server, request, client_address)

    server.handle_error = handle_error


def _start(wanted: Mapping[str, str], name: str) -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    settings = submit_settings(wanted) if is_submitted else launch_settings(wanted)
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SessionError(
            f"Spark's JVM did not start: {error}; what it said is above. Without a network, set "
            f"EQUIPOISE_JARS to a folder with the JARs of {delta_packages([])}"
        ) from error


def submit_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """What may be added to what spark-submit was told: its words stand, and it has read the launch keys."""
    SparkContext._ensure_initialized()  # a SparkConf knows of spark-submit's only through the JVM
    told = dict(SparkConf().getAll())
    return {key: value for key, value in wanted.items() if key not in told and not key.startswith(LAUNCH)}


def launch_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """Equipoise's defaults below the installation's spark-defaults.conf below `wanted`."""
    from equipoise.session.java import find_java_home  # imported by its user, for it runs as a program as well

    os.environ["JAVA_HOME"] = str(find_java_home())
    installed = read_properties(_defaults_file())
    given = {**installed, **wanted}
    is_local = given.get("spark.master", "local").startswith("local")
    settings = {**(LOCAL if is_local else {}), **DELTA, **installed, **wanted}
    has_delta = "delta" in given.get("spark.jars", "") + installed.get("spark.jars.packages", "")
    if os.environ.get("EQUIPOISE_JARS") or not has_delta:
        settings.update(_delta_jars(given))
    return settings


def _delta_jars(given: Mapping[str, str]) -> dict[str, str]:
    folder = os.environ.get("EQUIPOISE_JARS")
    if not folder:
        extra = [given["spark.jars.packages"]] if given.get("spark.jars.packages") else []
        return {"spark.jars.packages": delta_packages(extra)}
    if not Path(folder).is_dir():
        raise SessionError(f"EQUIPOISE_JARS={folder} is no folder; unset it to fetch Delta's JARs from Maven")
    jars = sorted(str(path.resolve()) for path in Path(folder).glob("*.jar"))
    missing = [part for part in ("delta-spark", "delta-storage") if not any(part in Path(jar).name for jar in jars)]
    if missing:
        raise SessionError(
            f"EQUIPOISE_JARS={folder} holds {len(jars)} JARs, none called {' nor '.join(missing)}*.jar; put "
            f"there what {delta_packages([])} consists of, or unset EQUIPOISE_JARS to fetch it from Maven"
        )
    nothing_fetched = {"spark.jars.packages": ""} if "spark.jars.packages" in given else {}
    return {**nothing_fetched, "spark.jars": ",".join([*filter(None, [given.get("spark.jars")]), *jars])}


def _defaults_file() -> Path:
    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    return Path(os.environ.get("SPARK_CONF_DIR") or Path(home, "conf"), "spark-defaults.conf")


def read_properties(path: Path) -> dict[str, str]:
    """The keys and values of a `spark-defaults.conf`; none where the file is not there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (re.split(r"\s*[=:]\s*|\s+", line.strip(), maxsplit=1) for line in lines)
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs if pair[0][:1] not in ("", "#", "!")}
