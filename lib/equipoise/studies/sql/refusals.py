"""What a query is refused for, whichever engine it is put to."""

import logging
from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from equipoise.errors import InputError

READING = ("SHOW", "EXPLAIN", "DESCRIBE")
_UNSURE = (exp.Query, exp.Values, exp.Describe, exp.Alias, exp.Column, type(None))
"""What reads, and what Spark alone can tell."""


def refusal(sql: str, reason: str, views: Iterable[str]) -> InputError:
    """The error of a query that cannot be answered."""
    return InputError(f"query {sql!r} cannot be run: {reason} Views here: {', '.join(views)}")


def writing(sql: str, what: str) -> InputError:
    """The error of a statement that does more than read."""
    return InputError(
        f"query {sql!r} is none that only reads, it is {what}: tables are written by stages alone; begin it "
        "with select, with, from, values, table, describe, show or explain"
    )


def check_reads(sql: str) -> None:
    """Refuses what surely writes, without a JVM; of what is left Spark's own plan decides.

    Raises:
        InputError: the query does more than read.
    """
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it tells of statements that it does not know
    try:
        trees = sqlglot.parse(sql, dialect="spark")
    except (SqlglotError, RecursionError):
        return  # Spark says what is wrong with it
    for tree in trees:
        if isinstance(tree, exp.Command):
            name = str(tree.this).upper()
            if name not in READING:
                raise writing(sql, name)
        elif not isinstance(tree, _UNSURE):
            raise writing(sql, type(tree).__name__.upper())
