"""The answer to a query, printed as a table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from equipoise.consoles import widened

LONGEST_VALUE = 80
WIDEST = 10_000
"""Off a terminal nothing is cut: what is piped is read by programs."""


class QueryResult(NamedTuple):
    """Rows of an answer, as Spark hands them to Python: one more than asked for where there are more."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def print_answer(answer: QueryResult, *, limit: int, console: Console) -> None:
    """Prints the first ``limit`` rows."""
    table = Table(*(escape(name) for name in answer.columns))
    for row in answer.rows[:limit]:
        table.add_row(*(_shown(value) for value in row))
    widened(console, WIDEST).print(table)
    if len(answer.rows) > limit:
        console.print(f"first {limit} rows; --limit N shows more")


def _shown(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}...")
