"""``equipoise sql``: a query over the tables of a workspace, printed as a table."""

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from equipoise.errors import InputError
from equipoise.tables import register_views

LONGEST_VALUE = 80
WIDEST = 10_000
"""Off a terminal nothing is cut: what is piped is read by programs."""


def query(spark: SparkSession, sql: str, *, workspace: str, limit: int, console: Console) -> None:
    """Prints the first ``limit`` rows of a query over the views of a workspace.

    Raises:
        InputError: Spark refuses the query.
        TableError: the workspace holds no table.
    """
    views = register_views(spark, workspace)
    try:
        answer = spark.sql(sql)
        rows = answer.limit(limit + 1).collect()  # the limit bounds it
    except PySparkException as error:
        reason = " ".join(str(error).splitlines()[0].split())
        raise InputError(f"query {sql!r} cannot be run: {reason} Views here: {', '.join(views)}") from error
    table = Table(*(escape(name) for name in answer.columns))
    for row in rows[:limit]:
        table.add_row(*(_shown(value) for value in row))
    (console if console.is_terminal else Console(width=WIDEST)).print(table)
    if len(rows) > limit:
        console.print(f"first {limit} rows; --limit N shows more")


def _shown(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}...")
