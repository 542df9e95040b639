"""Spark's Python daemon, less the stack that it prints where a task wanted no more rows.

`spark.python.daemon.module` names this module: Spark runs it in place of `pyspark.daemon`.
"""

from typing import Any

from pyspark import daemon

_serve = daemon.worker


def serve(sock: Any, authenticated: bool) -> int:
    """Serves tasks as `pyspark.daemon.worker` does, and ends the worker in silence where nobody reads it any more.

    Errors of a task's own never come this far: the worker sends them to the JVM, which raises them.
    """
    try:
        return _serve(sock, authenticated)
    except ConnectionError:
        return 1


if __name__ == "__main__":
    daemon.worker = serve
    daemon.manager()
