"""Commits to Delta tables: tried again where another writer was faster, and what the log says of them."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from time import sleep
from typing import Any, TypeVar

from delta import exceptions as conflicts
from delta.tables import DeltaTable
from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession

from equipoise.errors import TableError

ATTEMPTS = 3
_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_LOOKED_AT = (20, 1000)
"""Commits of others that may have come after one's own until it is looked for: the second look is for busy tables."""
_CONFLICTS = (
    conflicts.DeltaConcurrentModificationException,
    conflicts.ConcurrentWriteException,
    conflicts.MetadataChangedException,
    conflicts.ProtocolChangedException,
    conflicts.ConcurrentAppendException,
    conflicts.ConcurrentDeleteReadException,
    conflicts.ConcurrentDeleteDeleteException,
    conflicts.ConcurrentTransactionException,
)
"""Of Python's classes for them none is the parent of the others."""
_JAVA_CONFLICT = "java.util.ConcurrentModificationException"
"""The parent of all of Delta's conflicts, for those that Spark hands over as they are."""
_DEEPEST = 20  # causes of causes
_IN_THE_WAY = (
    "TABLE_OR_VIEW_ALREADY_EXISTS",
    "LOCATION_ALREADY_EXISTS",
    "DELTA_TABLE_ALREADY_EXISTS",
    "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION",
)
"""Spark's and Delta's names for a birth where there is something: a table, or files that are none yet."""

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


def lost_a_race(error: Exception) -> bool:
    """Whether another writer was faster, by the class of the error or of one of its causes."""
    if isinstance(error, _CONFLICTS):
        return True
    gateway = SparkContext._gateway
    causes = _java_causes(error) if gateway is not None else ()
    return any(is_instance_of(gateway, cause, _JAVA_CONFLICT) for cause in causes)


def is_in_the_way(error: BaseException | None) -> bool:
    """Whether a table was not made because something is there already: another process may be making it."""
    if not isinstance(error, PySparkException):
        return False
    named = getattr(error, "getCondition", error.getErrorClass)  # as Spark 4 and as 3.5 have it
    return named() in _IN_THE_WAY


def retried(
    action: Callable[[], Result], complaint: str, *, is_to_retry: Callable[[Exception], bool] = lost_a_race
) -> Result:
    """Runs a commit, again where another writer was faster; says plainly why it cannot be done.

    Raises:
        TableError: it cannot; a failure of the tasks that compute the rows is raised as it is.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except (PySparkException, Py4JJavaError) as error:
            if is_to_retry(error) and attempt < ATTEMPTS:
                sleep(attempt)
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


def _java_causes(error: Exception) -> Iterator[Any]:
    """What Java threw, and what that came of."""
    cause = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    for _ in range(_DEEPEST):
        if cause is None:
            return
        yield cause
        cause = cause.getCause()


def _is_task_failure(error: Exception) -> bool:
    """Whether the rows could not be computed, which is not the table's fault."""
    return "Job aborted due to stage failure" in str(error) or "PYTHON_EXCEPTION" in str(error)
