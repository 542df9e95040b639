"""Queries by Spark: whatever it takes, in any workspace."""

from collections.abc import Sequence
from typing import Any

from py4j.java_gateway import is_instance_of
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from equipoise.studies.sql.printing import QueryResult
from equipoise.studies.sql.refusals import refusal, writing
from equipoise.tables import register_views
from equipoise.tables.commits import short

_PLANS = "org.apache.spark.sql.catalyst.plans.logical"
_COMMANDS = ("Command", "ParsedStatement")
_DOING = ("Statement", "ExecuteImmediate", "ExecuteImmediateQuery", "CompoundBody")
"""Names of what does something and is none of these: Delta's RESTORE, SQL that is in a text, scripts."""
_READING = ("Show", "Describe", "Explain")


def answered(spark: SparkSession, sql: str, *, workspace: str, limit: int) -> QueryResult:
    """One row more than ``limit`` of a query over the views of a workspace.

    Raises:
        InputError: Spark refuses the query.
        TableError: the workspace holds no table.
    """
    return collected(spark, sql, views=register_views(spark, workspace), limit=limit)


def collected(spark: SparkSession, sql: str, *, views: Sequence[str], limit: int) -> QueryResult:
    """One row more than ``limit`` of a query over views that are registered.

    Raises:
        InputError: Spark refuses the query, or it would do more than read.
    """
    try:
        _check_plan(spark, sql)
        answer = spark.sql(sql)
        return QueryResult(answer.columns, answer.limit(limit + 1).collect())  # the limit bounds it
    except PySparkException as error:
        raise refusal(sql, short(error), views) from error


def _check_plan(spark: SparkSession, sql: str) -> None:
    """Spark runs a command when it is parsed: what the statement is has to be seen before.

    Raises:
        InputError: it does more than read.
    """
    session: Any = spark._jsparkSession
    waiting = [session.sessionState().sqlParser().parsePlan(sql)]
    while waiting:
        plan = waiting.pop()
        name = plan.getClass().getSimpleName()
        if name.startswith(_READING):
            continue
        is_command = any(is_instance_of(spark.sparkContext._gateway, plan, f"{_PLANS}.{kind}") for kind in _COMMANDS)
        if is_command or name.endswith(_DOING):
            raise writing(sql, name)
        children = plan.children()
        waiting += [children.apply(number) for number in range(children.size())]
