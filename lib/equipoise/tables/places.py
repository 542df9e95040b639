"""Where a workspace is, as Hadoop's file systems name it."""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from equipoise.errors import TableError
from equipoise.tables.commits import short


def qualified(spark: SparkSession, folder: str) -> str:
    """The folder with its scheme and from the root: Delta knows tables by that alone.

    Raises:
        TableError: no file system answers to it.
    """
    jvm: Any = spark.sparkContext._jvm
    try:
        path = jvm.org.apache.hadoop.fs.Path(folder)
        return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).makeQualified(path).toString()
    except (Py4JJavaError, PySparkException) as error:
        raise TableError(f"workspace {folder!r} cannot be reached: {short(error)}") from error
