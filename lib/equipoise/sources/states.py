"""The state of data outside the workspace, as a number: what was made of it is made again when it changed."""

from zlib import crc32

from pyarrow import fs
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from equipoise.pipeline.locating import locate
from equipoise.sources.listing import DELTA_LOG
from equipoise.sources.table import is_catalog_table, newest_commit


def state_of(spark: SparkSession, path: str) -> int | None:
    """A number that another version of a Delta table has not, nor files of other names, sizes or times.

    None where that cannot be had: nothing is there, its file system does not tell, or a catalog's table is not Delta.
    """
    try:
        if is_catalog_table(spark, path):
            return crc32(newest_commit(spark, path).encode())
        return _state_of_files(path)
    except (OSError, ValueError, PySparkException):
        return None


def _state_of_files(path: str) -> int | None:
    filesystem, place = locate(path)
    found, log = filesystem.get_file_info([place, f"{place.rstrip('/')}/{DELTA_LOG}"])
    if found.type == fs.FileType.NotFound:
        return None
    folder = log if log.type == fs.FileType.Directory else found  # every version of a Delta table adds to its log
    is_folder = folder.type == fs.FileType.Directory
    infos = filesystem.get_file_info(fs.FileSelector(folder.path, recursive=True)) if is_folder else [found]
    return crc32(repr(sorted((info.path, info.size, info.mtime_ns) for info in infos if info.is_file)).encode())
