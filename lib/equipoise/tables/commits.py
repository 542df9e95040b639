"""Commits to Delta tables: tried again where another writer was faster, and what the log says of them."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession

from equipoise.errors import TableError

ATTEMPTS = 3
_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_LOOKED_AT = (20, 1000)
"""Commits of others that may have come after one's own until it is looked for: the second look is for busy tables."""

Result = TypeVar("Result")


@dataclass
class Commit:
    """One commit; what the log says of it is looked up when it is asked for: a job of Spark's.

    ``mark`` is what it was written with; ``is_birth``: it made the table.
    """

    delta: DeltaTable
    mark: str
    is_birth: bool = False

    @property
    def version(self) -> int:
        """The Delta version that it made."""
        return 0 if self.is_birth else int(self._entry["version"])

    @property
    def n_rows(self) -> int:
        """The rows that it wrote."""
        metrics = self._entry["operationMetrics"] or {}
        return int(metrics.get("numTargetRowsInserted", metrics.get("numOutputRows", 0)))

    @cached_property
    def _entry(self) -> Row:
        for most in _LOOKED_AT:
            recent = self.delta.history(most).select("version", "operationMetrics", "userMetadata")
            entries = recent.collect()  # so many
            own = [entry for entry in entries if entry["userMetadata"] == self.mark]
            if own or len(entries) < most:
                break
        return own[0] if own else entries[0]  # a merge that found nothing to add makes no commit


@contextmanager
def marked(spark: SparkSession) -> Iterator[str]:
    """Commits inside carry the mark that is yielded: tables that are born and merges take none as an option."""
    mark, before = uuid.uuid4().hex, spark.conf.get(_METADATA, None)
    spark.conf.set(_METADATA, mark)
    try:
        yield mark
    finally:
        if before is None:
            spark.conf.unset(_METADATA)
        else:
            spark.conf.set(_METADATA, before)


def retried(action: Callable[[], Result], complaint: str) -> Result:
    """Runs a commit, again where another writer was faster; says plainly why it cannot be done.

    Raises:
        TableError: it cannot; a failure of the tasks that compute the rows is raised as it is.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except (PySparkException, Py4JJavaError) as error:
            if _lost_a_race(error) and attempt < ATTEMPTS:
                time.sleep(attempt)
                continue
            if _is_task_failure(error):
                raise
            raise TableError(f"{complaint}: {short(error)}") from error
    raise AssertionError("unreachable")


def short(error: object) -> str:
    """What Spark or Java says, in a line, without the names of its classes."""
    lines = str(error).strip().splitlines()
    java = [line for line in lines if re.match(r"^:? ?(java|org|io)\.[\w.$]+: ", line)]
    text = (java or lines or [type(error).__name__])[0]
    return re.sub(r"^:? ?(?:[\w$]+\.)+[\w$]+: ", "", text)[:300]


def _lost_a_race(error: Exception) -> bool:
    """Whether Delta's class of errors for conflicts is among the causes: ConcurrentAppendException and its kin."""
    return (
        re.search(r"\bConcurrent\w*Exception|DELTA_CONCURRENT_", f"{type(error).__name__} {error}"[:4000]) is not None
    )


def _is_task_failure(error: Exception) -> bool:
    """Whether the rows could not be computed, which is not the table's fault."""
    return "Job aborted due to stage failure" in str(error) or "PYTHON_EXCEPTION" in str(error)
