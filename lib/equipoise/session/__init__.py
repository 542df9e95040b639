"""The Spark session: the platform's where there is one, else a new one with Delta. The only getOrCreate."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException, PySparkRuntimeError
from pyspark.sql import SparkSession

from equipoise.config.spark_keys import checked_settings
from equipoise.errors import SessionError, check_working_directory
from equipoise.session.checks import check_classic, check_delta, delta_packages, warn_of_differences
from equipoise.session.defaults import LAUNCH
from equipoise.session.launch import installed_settings, is_local, launch_settings, name_encoding
from equipoise.session.places import environment


def get_session(conf: Mapping[str, str] | None = None, *, name: str = "equipoise") -> SparkSession:
    """The running Spark session, or a new one with Delta, set as `conf` asks.

    Keys of `conf` that Spark takes at run time are set. The others count where the session starts here; in a
    JVM that was up before (spark-submit, a notebook's platform) a warning names those that differ.
    Raises SessionError where Spark cannot be used: no Java, no Delta, Spark Connect; ConfigError for a value of `conf`
    that a config would not take.
    """
    wanted = checked_settings(conf or {}, "get_session: conf")
    check_classic()
    spark = running_session()
    if spark is None:
        _start(wanted, name)
        spark = SparkSession.builder.getOrCreate()
    check_classic(spark)
    check_delta(spark)
    _silence_query_log()
    _silence_accumulators(spark)
    for key, value in wanted.items():
        # Delta's keys are unknown to Spark until its first use.
        if spark.conf.isModifiable(key) or key.startswith("spark.databricks.delta."):
            _set(spark, key, value)
    warn_of_differences(spark, wanted)
    return spark


def running_session() -> SparkSession | None:
    """The session of this thread, else that of the process; None where Spark does not run."""
    session = SparkSession.getActiveSession()  # it belongs to a thread
    if session is None and SparkContext._active_spark_context is not None:
        session = SparkSession.builder.getOrCreate()
    return session


def silence() -> None:
    """Has the JVM log nothing more: of jobs that were broken off it tells what nobody can use."""
    context = SparkContext._active_spark_context
    with suppress(Exception):  # it may be gone
        if context is not None:
            context.setLogLevel("OFF")


def _set(spark: SparkSession, key: str, value: str) -> None:
    try:
        spark.conf.set(key, value)
    except PySparkException as error:
        reason = " ".join(str(error).splitlines()[0].split())
        raise SessionError(f"{key} is {value!r}, which Spark does not take: {reason}") from error


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
    check_working_directory()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    try:
        if is_submitted:
            _create(name, submit_settings(wanted))
        else:
            with environment(JAVA_HOME=str(_java_home(wanted)), **name_encoding()):
                _create(name, launch_settings(wanted))
    except PySparkRuntimeError as error:
        raise SessionError(
            f"Spark's JVM did not start: {error}; what it said is above. Where packages could not be "
            f"fetched, set EQUIPOISE_JARS to a folder with the JARs of {delta_packages([])}"
        ) from error


def _java_home(wanted: Mapping[str, str]) -> Path:
    from equipoise.session import java  # imported by its user, for it runs as a program as well

    return java.local_java_home() if is_local({**installed_settings(), **wanted}) else java.find_java_home()


def _create(name: str, settings: Mapping[str, str]) -> None:
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    builder.getOrCreate()


def submit_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """What may be added to what spark-submit was told: its words stand, and it has read the launch keys."""
    SparkContext._ensure_initialized()  # a SparkConf knows of spark-submit's only through the JVM
    told = dict(SparkConf().getAll())
    return {key: value for key, value in wanted.items() if key not in told and not key.startswith(LAUNCH)}
