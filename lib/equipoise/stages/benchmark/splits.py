"""The rows of a table by split: train and test items of one model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.stages.benchmark.rows import ID, Rows, Texts, by_id, check_finite
from equipoise.stages.benchmark.section import TEST, TRAIN

SPLIT = "split"


def parts_of(rows: Rows, splits: Iterable[str], path: str) -> dict[str, Rows]:
    """The rows of each split, in the order of their ids where they have some.

    Raises:
        InputError: a split has no rows, an id stands in one twice, or vectors are not finite.
    """
    found = set(rows.texts[SPLIT])
    parts = {}
    for split in dict.fromkeys(splits):
        if split not in found:
            known = ", ".join(sorted(found)[:5])
            way_out = f"name the splits {TRAIN} and {TEST}" if split in (TRAIN, TEST) else "give those that are there"
            raise InputError(f"{path} has no row whose split is {split!r}, but {known}: {way_out}")
        part = chosen(rows, rows.texts[SPLIT] == split)
        check_finite(part, f"{path}, split {split!r}")
        parts[split] = by_id(part, path) if ID in part.texts else part
    return parts


def chosen(rows: Rows, which: NDArray[np.bool_]) -> Rows:
    """Those of the rows for which ``which`` (n,) is true."""
    texts = {key: column[which] for key, column in rows.texts.items()}
    lists = {key: [column[place] for place in np.flatnonzero(which)] for key, column in rows.lists.items()}
    return Rows(rows.vectors[which], texts, lists)


def ids_of(parts: dict[str, Rows]) -> dict[str, Texts]:
    """The ids of each split, by what they are of; none where there are none."""
    return {f"{split} items": part.texts[ID] for split, part in parts.items() if ID in part.texts}


def present(values: NDArray[Any], place: str, key: str) -> NDArray[Any]:
    """Texts of which none may be missing.

    Raises:
        InputError: some are.
    """
    lacking = sum(value is None for value in values)
    if lacking:
        raise InputError(f"{place} has no {key} in {lacking:,} of {len(values):,} rows: leave those out")
    return values.astype(str)


def texts_of(lists: Iterable[Texts]) -> list[Texts]:
    """Lists without what is missing in them, as arrays of str."""
    return [np.array([text for text in one if text is not None], dtype=str) for one in lists]
