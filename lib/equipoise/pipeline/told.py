"""What a worker found wrong with the user's data or settings, told as it would be on the driver."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException

from equipoise import errors

_RAISED = re.compile(rf"{re.escape(errors.__name__)}\.(\w+): (.+)")


@contextmanager
def told_by_workers() -> Iterator[None]:
    """Raises again as its own what a worker raised of Equipoise's errors: Spark makes a trace of it.

    Raises:
        EquipoiseError: what the worker raised.
    """
    try:
        yield
    except (PythonException, Py4JJavaError) as error:
        found = _RAISED.search(str(error))
        if found is None:
            raise
        raise getattr(errors, found[1], errors.EquipoiseError)(found[2].strip()) from error
