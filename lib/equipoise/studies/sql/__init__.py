"""``equipoise sql``: a query over the tables of a workspace, by DuckDB where it answers as Spark does, or by Spark."""

from pathlib import Path

from rich.console import Console

from equipoise.errors import InputError
from equipoise.pipeline.locating import check_workspace, is_local_alone
from equipoise.studies.sql.kinds import TranslationError
from equipoise.studies.sql.printing import QueryResult, print_answer
from equipoise.studies.sql.refusals import check_reads
from equipoise.tables.definitions import without_tables
from equipoise.tables.local import local_folder, present_tables

__all__ = ["query"]


def query(sql: str, *, workspace: str, engine: str, limit: int, console: Console) -> None:
    """Prints the first ``limit`` rows of a query over the views of a workspace.

    ``engine`` is duckdb, spark, or auto: DuckDB where it can, else Spark.

    Raises:
        ConfigError: the workspace is no place.
        InputError: the engine refuses the query, or it would do more than read.
        TableError: the workspace holds no table.
    """
    check_workspace(workspace)
    check_reads(sql)
    folder = local_folder(workspace)
    if folder and not present_tables(folder):
        if is_local_alone():
            raise without_tables(workspace)  # Spark would say so after twenty seconds
        folder = None
    answer = _by_duckdb(sql, folder, engine, limit) if engine != "spark" else None
    print_answer(answer or _by_spark(sql, workspace, limit), limit=limit, console=console)


def _by_duckdb(sql: str, folder: Path | None, engine: str, limit: int) -> QueryResult | None:
    from equipoise.studies.sql.duck import answered  # not to be waited for where Spark answers

    try:
        if folder is None:
            raise TranslationError("the workspace is no local folder")
        return answered(sql, folder=folder, limit=limit)
    except TranslationError as error:
        if engine == "duckdb":
            raise InputError(
                f"query {sql!r} is left to Spark: {error}. Drop --engine duckdb, or give --engine spark"
            ) from error
    return None


def _by_spark(sql: str, workspace: str, limit: int) -> QueryResult:
    from equipoise.session import get_session
    from equipoise.studies.sql.spark import answered

    return answered(get_session(), sql, workspace=workspace, limit=limit)
