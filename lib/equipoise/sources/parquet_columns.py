"""The columns of many Parquet files as those of one table. Needs no Spark."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from equipoise.errors import InputError
from equipoise.sources.arrow_types import Kind, family, widest
from equipoise.sources.parquet_tasks import Wanted

_NULL = family(pa.null())
Kinds = Mapping[str, Kind]


def odd_ones(kinds: Sequence[Kinds]) -> dict[int, str]:
    """The files that have in a column another kind of values than most: place -> what is wrong with it.

    Args:
        kinds: of the wanted columns, one for each file.
    """
    odd: dict[int, str] = {}
    for name in dict.fromkeys(name for one in kinds for name in one):
        families = [_family(one[name]) if name in one else _NULL for one in kinds]
        known = Counter(found for found in families if found != _NULL).most_common(1)
        for place, found in enumerate(families):
            if found not in (_NULL, *(most for most, _ in known)):
                usual = next(one[name] for one, of in zip(kinds, families, strict=True) if of == known[0][0])
                odd.setdefault(place, f"its column {name!r} is {kinds[place][name]}, where most files have {usual}")
    return odd


def wanted_columns(
    wanted: Mapping[str, str], path: str, kinds: Iterable[Kinds], folders: Iterable[str]
) -> list[Wanted]:
    """The columns with names of our own, since the user's may differ in case alone, and the types that hold all values.

    Args:
        wanted: names -> the config's key, for the message.
        path: for the message.
        kinds: of each file.
        folders: names whose values are in names of folders.

    Raises:
        InputError: a column is of a type that cannot be taken.
    """
    found = list(kinds)
    columns, folders = [], set(folders)
    for number, (name, key) in enumerate(wanted.items()):
        own = [] if name in folders else [one[name] for one in found if name in one]
        types = [(kind, kind.taken_as) for kind in own]
        bad = next((kind for kind, taken in types if taken is None), None)
        if bad is not None:
            raise InputError(
                f"{key}: the column {name!r} of {path} is {bad}, which cannot be read: write it as numbers, texts, "
                "bytes, times or lists of those"
            )
        columns.append(Wanted(name, f"c{number}", widest(taken for _, taken in types if taken is not None)))
    return columns


def _family(kind: Kind) -> str:
    taken = kind.taken_as
    return str(kind) if taken is None else family(taken)
