"""What lies below a path: by the driver while it is little, by tasks where there is more. Needs no Spark."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import pyarrow as pa

from equipoise.schemas import Col
from equipoise.sources.listing import Folder, Found, Passed, entries, top

OTHER_ENDINGS = "other endings"
MOST_FILES, MOST_FOLDERS = 100_000, 10_000
"""That the driver lists by itself."""
MOST_KINDS = 20
_ENOUGH_FOLDERS = 256
_LISTERS = 16
_ROWS_AT_ONCE = 8192
_FILES = pa.schema(
    [
        (Col.uri, pa.string()),
        (Col.modified_at, pa.int64()),
        (Col.n_bytes, pa.int64()),
        (Col.reason, pa.string()),
        (Col.detail, pa.string()),
    ]
)
_KINDS = pa.schema([(Col.reason, pa.string()), (Col.n_items, pa.int64())])


@dataclass
class Survey:
    """Files, what was passed over by kind, and the folders that are left to others."""

    found: list[Found] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    left: list[Folder] = field(default_factory=list)

    def add(self, other: "Survey") -> None:
        """Takes in what another found."""
        self.found += other.found
        self.passed += other.passed
        self.left += other.left


def survey(
    uri: str, suffixes: tuple[str, ...], *, most_files: int = MOST_FILES, most_folders: int = MOST_FOLDERS
) -> Survey:
    """The files below a uri whose names end in one of the suffixes: all, or as many as the driver is to list.

    Beyond ``most_files`` it looks only for folders, until there are enough for tasks to share; those go to ``left``.

    Raises:
        FileNotFoundError: nothing is there.
        OSError, ValueError: the file system does not answer, or is unknown.
    """
    surveyed = Survey()
    _add(surveyed, top(uri, suffixes))
    folders, surveyed.left = surveyed.left, []
    with ThreadPoolExecutor(_LISTERS) as listers:
        while folders and most_folders > 0:
            if len(surveyed.found) >= most_files and len(folders) >= _ENOUGH_FOLDERS:
                break
            some, folders = folders[:_LISTERS], folders[_LISTERS:]
            look = partial(_inside, suffixes=suffixes, most_files=most_files - len(surveyed.found))
            for inside in listers.map(look, some):
                surveyed.add(inside)
            # What is to be listed again, for its files alone, stays; the others are the next to be looked into.
            folders += [folder for folder in surveyed.left if not folder.is_flat]
            surveyed.left = [folder for folder in surveyed.left if folder.is_flat]
            most_folders -= len(some)
    surveyed.left += folders
    return surveyed


def files_listed(
    batches: Iterable[pa.RecordBatch], *, hands: Sequence[Sequence[Folder]], suffixes: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """What a task finds: the columns of :class:`Found`, a row a file. ``batches`` number the ``hands``."""
    found = (entry for entry in _walk(batches, hands, suffixes) if isinstance(entry, Found))
    while some := list(islice(found, _ROWS_AT_ONCE)):
        columns = [pa.array(values, kind) for values, kind in zip(zip(*some, strict=True), _FILES.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=_FILES)


def kinds_listed(
    batches: Iterable[pa.RecordBatch], *, hands: Sequence[Sequence[Folder]], suffixes: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """What a task passes over: (kind, count)."""
    passed = Counter(entry.kind for entry in _walk(batches, hands, suffixes) if isinstance(entry, Passed))
    kinds = few_kinds(passed)
    columns = [pa.array(list(kinds), pa.string()), pa.array(list(kinds.values()), pa.int64())]
    yield pa.RecordBatch.from_arrays(columns, schema=_KINDS)


def shown(passed: Mapping[str, int]) -> str:
    """What was passed over, in words, the most frequent first."""
    ordered = sorted(passed.items(), key=lambda kind: (-kind[1], kind[0]))
    return ", ".join(f"{kind} ({count:,})" for kind, count in ordered)


def few_kinds(passed: Mapping[str, int]) -> Counter[str]:
    """The same counts, of the most frequent kinds alone: endings of names may be as many as files."""
    ordered = sorted(passed.items(), key=lambda kind: (-kind[1], kind[0]))
    few = Counter(dict(ordered[:MOST_KINDS]))
    few[OTHER_ENDINGS] += sum(count for _, count in ordered[MOST_KINDS:])
    return +few


def dealt(folders: Sequence[Folder], n_tasks: int) -> list[list[Folder]]:
    """The folders in ``n_tasks`` hands, one after the other: neighbours are often of one size."""
    return [list(folders[first::n_tasks]) for first in range(n_tasks)]


def _walk(
    batches: Iterable[pa.RecordBatch], hands: Sequence[Sequence[Folder]], suffixes: tuple[str, ...]
) -> Iterator[Found | Passed]:
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        waiting = list(hands[number])
        while waiting:
            folder = waiting.pop()
            for entry in entries(folder, suffixes):
                if not isinstance(entry, Folder):
                    yield entry
                elif not folder.is_flat:
                    waiting.append(entry)


def _inside(folder: Folder, *, suffixes: tuple[str, ...], most_files: int) -> Survey:
    inside, n_files = Survey(), 0
    for entry in entries(folder, suffixes):
        n_files += isinstance(entry, Found)
        if n_files <= most_files or isinstance(entry, Folder):
            _add(inside, entry)
    if n_files <= most_files:
        return inside
    return Survey(left=[*inside.left, replace(folder, is_flat=True)])


def _add(surveyed: Survey, entry: Found | Folder | Passed) -> None:
    if isinstance(entry, Found):
        surveyed.found.append(entry)
    elif isinstance(entry, Folder):
        surveyed.left.append(entry)
    else:
        surveyed.passed[entry.kind] += 1
