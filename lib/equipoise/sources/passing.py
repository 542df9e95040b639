"""What is passed over below tables and folders of arrays, by ending or by what it is. Needs no Spark."""

from collections import Counter
from pathlib import PurePosixPath

from pyarrow import fs

from equipoise.config import EmbeddingsSource, Place
from equipoise.pipeline.locating import locate
from equipoise.sources.listing import DELTA_LOG, DOT_FILES, DOT_FOLDERS, file_kind
from equipoise.sources.npy_parts import paths_of
from equipoise.sources.parquet_files import is_hidden

SUB_FOLDERS = "sub-folders"
UNDERSCORES = "names that begin with _"
OF_HADOOP = "marks of folders"


def passed_in_table(root: str) -> Counter[str]:
    """Names that no reader of Parquet looks at, a hidden folder as one; none of a Delta table, and of a file."""
    try:
        filesystem, place = locate(root)
        top, log = filesystem.get_file_info([place, f"{place.rstrip('/')}/{DELTA_LOG}"])
        if top.type != fs.FileType.Directory or log.type == fs.FileType.Directory:
            return Counter()
        infos = filesystem.get_file_info(fs.FileSelector(place, recursive=True))
    except (OSError, ValueError):
        return Counter()
    below = (info.path[len(place.rstrip("/")) :].lstrip("/") for info in infos if info.is_file)
    hidden = {_hidden_top(name) for name in below if is_hidden(name)}
    return Counter(_hidden_kind(name) for name in hidden)


def passed_beside_parts(source: EmbeddingsSource, place: Place) -> Counter[str]:
    """Entries of a folder of arrays that are neither vectors nor their ids."""
    if source.is_npy:
        return Counter()
    filesystem, path = locate(source.path)
    taken = {PurePosixPath(one).name for some in paths_of(source, place) for one in some}
    if source.ids is not None and locate(source.ids)[1].rstrip("/") != path.rstrip("/"):
        taken = {PurePosixPath(one).name for one in paths_of(source, place)[0]}
    passed: Counter[str] = Counter()
    for info in filesystem.get_file_info(fs.FileSelector(path)):
        name = PurePosixPath(info.path).name
        if info.type == fs.FileType.Directory:
            passed[DOT_FOLDERS if name.startswith(".") else SUB_FOLDERS] += 1
        elif name not in taken:
            passed[file_kind(name)] += 1
    return passed


def _hidden_top(name: str) -> str:
    """The name, or that of the first folder on its way that is hidden, with a slash after it."""
    parts = name.split("/")
    first = next((number for number in range(1, len(parts)) if is_hidden("/".join(parts[:number]))), None)
    return name if first is None else "/".join(parts[:first]) + "/"


def _hidden_kind(name: str) -> str:
    own = name.rstrip("/").rpartition("/")[2]
    if own.startswith("."):
        return DOT_FOLDERS if name.endswith("/") else DOT_FILES
    return UNDERSCORES if own.startswith("_") else OF_HADOOP
