"""Queries by Spark: whatever it takes, in any workspace."""

from collections.abc import Sequence

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from equipoise.studies.sql.printing import QueryResult
from equipoise.studies.sql.refusals import refusal
from equipoise.tables import register_views


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
        InputError: Spark refuses the query.
    """
    try:
        answer = spark.sql(sql)
        return QueryResult(answer.columns, answer.limit(limit + 1).collect())  # the limit bounds it
    except PySparkException as error:
        raise refusal(sql, " ".join(str(error).splitlines()[0].split()), views) from error
