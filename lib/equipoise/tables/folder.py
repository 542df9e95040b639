"""Where reports and pictures go: a local folder, or one of any file system that Spark knows."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.tables.workspace import Workspace

LOCAL = "file"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):(.*)", re.DOTALL)
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Folder:
    """A folder for files of a few megabytes: a path without a scheme is one of this machine, others are Spark's."""

    spark: SparkSession
    place: str

    def make(self) -> None:
        """Makes it where it is not there.

        Raises:
            InputError: it cannot be made, or no file system answers to the scheme.
        """
        with self._explained():
            if local := _local(self.place):
                local.mkdir(parents=True, exist_ok=True)
            else:
                path = self._path("")
                self._filesystem(path).mkdirs(path)

    def write(self, name: str, content: bytes) -> str:
        """Writes a file under another name and then gives it its own: it is whole or not there.

        Returns:
            Where it is.

        Raises:
            InputError: it cannot be written.
        """
        self.make()
        with self._explained():
            if local := _local(self.place):
                unfinished = local / f".{name}{_UNFINISHED}"
                unfinished.write_bytes(content)
                os.replace(unfinished, local / name)
                return str(local / name)
            return self._write(name, content)

    def _write(self, name: str, content: bytes) -> str:
        path, unfinished = self._path(name), self._path(f".{name}{_UNFINISHED}")
        filesystem = self._filesystem(path)
        stream = filesystem.create(unfinished, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()
        filesystem.delete(path, False)  # not every file system renames onto a file that is there
        if not filesystem.rename(unfinished, path):
            raise OSError(None, f"{unfinished.toString()} could not be renamed")
        return str(path.toString())

    def _path(self, name: str) -> Any:
        jvm: Any = self.spark.sparkContext._jvm
        return jvm.org.apache.hadoop.fs.Path(f"{self.place.rstrip('/')}/{name}")

    def _filesystem(self, path: Any) -> Any:
        context: Any = self.spark.sparkContext
        return path.getFileSystem(context._jsc.hadoopConfiguration())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, Py4JJavaError) as error:
            reason = error.strerror if isinstance(error, OSError) else _cause(error)
            raise InputError(
                f"folder {self.place!r} cannot be written ({reason}): name another with --out, a local one or one of a "
                "file system that this Spark is set up for (s3://, hdfs://, ...)"
            ) from error


def beside(workspace: Workspace, name: str) -> Folder:
    """The folder of that name beside the tables; of a workspace ``catalog.schema``, that in the working directory."""
    if workspace.is_catalog:
        return Folder(workspace.spark, str(Path(name).resolve()))
    is_local = _local(workspace.location) is not None
    place = workspace.given if is_local else workspace.location
    return Folder(workspace.spark, f"{place.rstrip('/')}/{name}")


def _local(place: str) -> Path | None:
    """The path on this machine; None where another file system is meant."""
    match = _SCHEME.match(place)
    if match is None:
        return Path(place)
    return Path("/" + match[2].lstrip("/")) if match[1].lower() == LOCAL else None


def _cause(error: Py4JJavaError) -> str:
    """What the JVM says, without the names of its classes."""
    told = str(error.java_exception.getMessage() or error.java_exception.toString())
    return told.splitlines()[0][:300]
