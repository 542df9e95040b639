"""A ``.npy`` file of vectors, or a folder of them, each with its ids: found, opened and paired. Needs no Spark."""

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from pyarrow import fs

from equipoise.config import EmbeddingsSource, Place
from equipoise.config.sources.embeddings import is_npy_name
from equipoise.errors import InputError
from equipoise.pipeline.locating import locate, missing
from equipoise.sources.id_files import Ids, open_ids
from equipoise.sources.listing import DELTA_LOG, below
from equipoise.sources.npy import Npy, open_vectors, rows_told

ID_ENDINGS = (".ids.npy", ".ids.txt", ".txt", ".parquet")
"""Of the ids of a part, beside it: ``x.npy`` and ``x.ids.npy``."""
_IDS_ALONE = (".npy", ".txt", ".parquet")
_OPENERS = 16
Given = TypeVar("Given")
Made = TypeVar("Made")
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Part:
    """A file of vectors; ``first`` is the number of its first row among those of all parts."""

    vectors: Npy
    ids: Ids | None
    first: int

    @property
    def count(self) -> int:
        """Its rows."""
        return self.vectors.shape[0]


class Parts(NamedTuple):
    """The parts of a source, and why others, by path, cannot be read (``damaged: skip``)."""

    whole: tuple[Part, ...]
    damaged: Mapping[str, str]


def is_of_npy(source: EmbeddingsSource) -> bool:
    """Whether it is a ``.npy`` file, or a folder that holds some and is no Delta table."""
    if source.is_npy:
        return True
    try:
        names = _names(source.path)
    except (OSError, ValueError):
        return False
    return DELTA_LOG not in names and any(is_npy_name(name) for name in names)


def no_parts(source: EmbeddingsSource, place: Place) -> str:
    """The message for ids beside what has no vectors in ``.npy``."""
    return (
        f"{place.key('ids')}: {source.ids!r} does not go with {source.path}, which holds no .npy files and is read as "
        "Delta or Parquet: name its column of ids, id"
    )


def open_parts(source: EmbeddingsSource, place: Place, *, is_without_ids: bool = False) -> Parts:
    """The headers of all files of vectors, in the natural order of their names, with their ids.

    A folder's ids lie beside each part (``ID_ENDINGS``), or are the files of the folder ``ids``, in the same order.
    Parts may differ in the length of their vectors: rows of another than most are rejects, as those of tables.

    Args:
        source: of the config.
        place: of the source in the config.
        is_without_ids: leave the files of ``ids`` aside.

    Raises:
        InputError: a file is missing, broken, of another shape or type, there is not one id a vector, or ids that go
            with some parts alone.
    """
    has_ids, source = source.ids is not None, source.model_copy(update={"ids": None} if is_without_ids else {})
    paths, id_paths = paths_of(source, place)
    opened = _each(partial(_opened, source=source, place=place), zip_longest(paths, id_paths))
    parts, damaged, first = [], {}, 0
    is_numbered = not (has_ids or id_paths)
    for path, part in zip(paths, opened, strict=True):
        if isinstance(part, InputError):
            first += _skipped(part, path, source, is_numbered=is_numbered, is_last=path == paths[-1])
            damaged[path] = str(part).removeprefix(f"{place.key('path')} {path} ").replace(path, "the file")
        else:
            parts.append(replace(part, first=first))
            first += part.count
    if not parts:
        raise InputError(
            f"{place.key('path')} {source.path}: no part can be read: {min(damaged)} {damaged[min(damaged)]}"
        )
    return Parts(tuple(parts), damaged)


def paths_of(source: EmbeddingsSource, place: Place) -> tuple[list[str], list[str]]:
    """The files of vectors and those of their ids, which are none or as many.

    Raises:
        InputError: they do not go together.
    """
    if source.is_npy:
        return [source.path], [] if source.ids is None else [source.ids]
    _check_keys(source, place)
    return _paired(source, place)


def _opened(files: tuple[str, str | None], source: EmbeddingsSource, place: Place) -> Part | InputError:
    path, id_path = files
    try:
        vectors = open_vectors(path, place, may_be_empty=not source.is_npy)
        ids = None if id_path is None else open_ids(id_path, vectors, place, column=source.id)
    except InputError as error:
        return error
    return Part(vectors, ids, 0)


def _skipped(error: InputError, path: str, source: EmbeddingsSource, *, is_numbered: bool, is_last: bool) -> int:
    """The rows of a part that is passed over, as its header tells them: those after it keep their numbers.

    Raises:
        InputError: damaged parts are not to be skipped, or the numbers of the rows after it cannot be told.
    """
    if source.damaged == "refuse" or source.is_npy:
        raise error
    n_rows = rows_told(path) if is_numbered else 0
    if n_rows is None and not is_last:
        raise InputError(
            f"{error}; damaged: skip needs ids here: how many rows it had, and so the numbers of the rows after it, "
            "cannot be told"
        ) from error
    return n_rows or 0


def _each(make: Callable[[Given], Made], of: Iterable[Given]) -> list[Made]:
    with ThreadPoolExecutor(_OPENERS) as openers:
        return list(openers.map(make, of))


def _names(folder: str) -> list[str]:
    """The names in a folder, in natural order; none of what is not one, or hidden."""
    filesystem, path = locate(folder)
    if filesystem.get_file_info(path).type != fs.FileType.Directory:
        return []
    names = (PurePosixPath(info.path).name for info in filesystem.get_file_info(fs.FileSelector(path)))
    return sorted((name for name in names if not name.startswith(".")), key=_natural)


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in _NUMBERS.split(name)]


def _check_keys(source: EmbeddingsSource, place: Place) -> None:
    for key in ("uri", "label", "attributes"):
        if getattr(source, key):
            raise InputError(
                f"{place.key(key)}: {getattr(source, key)!r} does not go with {source.path}, whose .npy files have no "
                "columns: drop it, or write a table"
            )


def _paired(source: EmbeddingsSource, place: Place) -> tuple[list[str], list[str]]:
    """Files of vectors and of their ids; no ids where there are none."""
    names = _names(source.path)
    vectors = [name for name in names if is_npy_name(name) and not name.lower().endswith(".ids.npy")]
    if source.ids is None:
        ids, folder = _beside(vectors, names, source, place), source.path
    else:
        ids, folder = _of_folder(vectors, source.ids, source, place), source.ids
    return [below(source.path, name) for name in vectors], [below(folder, name) for name in ids]


def _beside(vectors: list[str], names: list[str], source: EmbeddingsSource, place: Place) -> list[str]:
    ended = [(name, ending) for name in names for ending in ID_ENDINGS if name.lower().endswith(ending)]
    there = {f"{name[: -len(ending)]}{ending}": name for name, ending in ended}
    stems = [name[: -len(".npy")] for name in vectors]
    found = [[there[f"{stem}{end}"] for end in ID_ENDINGS if f"{stem}{end}" in there] for stem in stems]
    where = f"{place.key('path')} {source.path}"
    unpaired = {name for name, _ in ended} - {name for ids in found for name in ids}
    if unpaired:
        raise InputError(
            f"{where}: {min(unpaired)} belongs to no .npy file of its name: move it away, or name it alike"
        )
    if not any(found):
        return []
    for name, ids in zip(vectors, found, strict=True):
        if len(ids) != 1:
            what = f"several files of ids, {' and '.join(ids)}" if ids else "no ids beside it, and others have"
            raise InputError(f"{where}: {name} has {what}: every part needs one file of ids, or none any")
    return [ids[0] for ids in found]


def _of_folder(vectors: list[str], folder: str, source: EmbeddingsSource, place: Place) -> list[str]:
    where = f"{place.key('ids')} {folder}"
    try:
        names = _names(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"{where} cannot be listed: {error}") from error
    found = [name for name in names if name.lower().endswith(_IDS_ALONE)]
    if not names:
        raise InputError(missing(folder, place.key("ids")))
    endings = sorted({PurePosixPath(name).suffix.lower() for name in found})
    if len(endings) > 1:
        raise InputError(f"{where} holds files of several kinds, {' and '.join(endings)}: leave those with the ids")
    if len(found) != len(vectors):
        raise InputError(f"{where} holds {len(found)} files of ids for the {len(vectors)} .npy files of {source.path}")
    for name, ids in zip(vectors, found, strict=True):
        numbers = [_NUMBERS.findall(PurePosixPath(one).stem)[-1:] for one in (name, ids)]
        if all(numbers) and int(numbers[0][0]) != int(numbers[1][0]):
            raise InputError(f"{where}: {ids} would be the ids of {name}: files must have the same numbers in both")
    return found
