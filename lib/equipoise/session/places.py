"""Where Spark is, where Equipoise keeps what it makes once, and what the environment is for a while."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark


def place_for(name: str) -> Path:
    """A folder beside the environment, or in the user's cache where the environment is read-only."""
    prefix = Path(sys.prefix)
    if os.access(prefix, os.W_OK):
        return prefix / name
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "equipoise" / name


def spark_home() -> Path:
    """Where Spark is installed: SPARK_HOME, else inside PySpark."""
    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Sets variables for what is started inside, and puts back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
