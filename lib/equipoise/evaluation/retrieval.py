"""Retrieval on frozen features: where in a gallery, sorted by cosine, the correct items of a query come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.neighbours import checked_pair, indices_of, ranking_keys
from equipoise.kernels.threads import ordered_map
from equipoise.kernels.vectors import Ids, unit_length

DEPTHS = (1, 5, 10)
RECALLS = tuple(f"recall_{k}" for k in DEPTHS)
PRECISION = "mean_average_precision"
SETUPS = ("easy", "medium", "hard")
_SCORES_PER_CHUNK = 1 << 22

Lists = Sequence[Ids]
"""One array of gallery indices, each at most once, a query."""

Doubles = NDArray[np.float64]


class Answer(NamedTuple):
    """What a gallery answers to one query: indices, and cosine distances (1 - cosine).

    ``positions``: of its correct items in the ranking, ascending from 0, junk not counted. ``predicted``: the first
    item that is no junk. ``correct``: the best of the correct items.
    """

    query: int
    positions: Ids
    predicted: int
    correct: int
    predicted_distance: float
    correct_distance: float


@dataclass(frozen=True)
class Truth:
    """What counts for each query: its ``correct`` items, and the ``junk`` that is taken out of the ranking."""

    correct: Lists
    junk: Lists

    @classmethod
    def without_junk(cls, correct: Lists) -> "Truth":
        """Every item of the gallery counts."""
        return cls(correct, [np.empty(0, dtype=np.int64)] * len(correct))

    def reversed(self, n_gallery: int) -> "Truth":
        """The same pairs, asked from the other side: one list for each of the ``n_gallery`` items, of queries."""
        return Truth(_reversed(self.correct, n_gallery), _reversed(self.junk, n_gallery))


def revisited(easy: Lists, hard: Lists, junk: Lists) -> dict[str, Truth]:
    """Return what counts in the setups ``easy``, ``medium`` and ``hard``, by name.

    Easy: the hard items are junk; medium: easy and hard are correct; hard: the easy items are junk.

    Source: Radenovic et al. 2018, Revisiting Oxford and Paris, section 3.2.
    """
    return {
        "easy": Truth(easy, _joined(junk, hard)),
        "medium": Truth(_joined(easy, hard), junk),
        "hard": Truth(hard, _joined(junk, easy)),
    }


def pair_lists(of_queries: NDArray[Any], of_gallery: NDArray[Any]) -> Lists:
    """Return for each query the gallery's items with its pair id: ids (n,) and (m,), None for items without one."""
    codes = pd.factorize(np.concatenate([of_queries, of_gallery]).astype(object))[0]  # -1: None
    asked, known = np.split(codes, [len(of_queries)])
    asked = np.where(asked < 0, len(codes), asked)  # nothing has that code
    order = np.argsort(known, kind="stable")
    starts, ends = (np.searchsorted(known, asked, side=side, sorter=order) for side in ("left", "right"))
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def ranked(
    queries: NDArray[np.floating], gallery: NDArray[np.floating], truth: Truth, *, names: NDArray[Any] | None = None
) -> list[Answer]:
    """Return the answers to all queries that have a correct item, in their order; of equal cosines the lowest index.

    Args:
        queries: (n, d).
        gallery: (m, d), compared by cosine, some rows of scores at a time on every core.
        truth: n lists each.
        names: (n,) what messages call the queries; their indices without.

    Raises:
        InputError: shapes that do not fit, values that are not finite, or no query with a correct item.
    """
    checked_pair(queries, gallery)
    asked = [query for query, correct in enumerate(truth.correct) if len(correct)]
    if len(truth.correct) != len(queries) or len(truth.junk) != len(queries) or not asked:
        raise InputError(
            f"{len(asked)} of {len(truth.correct)} lists name a correct item, for {len(queries)} queries: "
            "give one list a query, and one item at least"
        )
    for query in asked:
        if np.isin(truth.correct[query], truth.junk[query]).any():
            name = query if names is None else names[query]
            raise InputError(f"query {name!r} lists an item both as correct and as junk: take it out of one list")
    width = max(1, _SCORES_PER_CHUNK // len(gallery))
    chunks = [asked[start : start + width] for start in range(0, len(asked), width)]
    answered = partial(_answered, vectors=(unit_length(queries), unit_length(gallery)), truth=truth)
    return list(chain.from_iterable(ordered_map(answered, chunks)))


def recall(answers: Sequence[Answer], k: int) -> Doubles:
    """Return for each answer 1 where a correct item is among the first ``k``, else 0: (n,)."""
    return np.array([answer.positions[0] < k for answer in answers], dtype=np.float64)


def average_precision(answers: Sequence[Answer]) -> Doubles:
    """Return for each answer the mean, over its correct items, of the precision where each is found: (n,)."""
    return _scored(answers, lambda positions, found: (found / (positions + 1)).mean())


def trapezoidal_average_precision(answers: Sequence[Answer]) -> Doubles:
    """Return the area under precision over recall as the evaluation of Revisited Oxford and Paris sums it: (n,).

    Every step of recall counts with the mean of the precisions before and at the item that makes it; before the
    first item of a ranking the precision is 1.

    Source: ``compute_ap`` of the authors' revisitop (Radenovic et al. 2018).
    """

    def area(positions: Ids, found: Ids) -> float:
        before = np.where(positions == 0, 1.0, (found - 1) / np.maximum(positions, 1))
        return float((before + found / (positions + 1)).mean() / 2)

    return _scored(answers, area)


def retrieval_scores(answers: Sequence[Answer]) -> dict[str, Doubles]:
    """Return ``recall_1``, ``recall_5``, ``recall_10`` and ``mean_average_precision`` of every answer, (n,) each."""
    recalls = {name: recall(answers, k) for name, k in zip(RECALLS, DEPTHS, strict=True)}
    return {**recalls, PRECISION: average_precision(answers)}


def revisited_scores(answers: Mapping[str, Sequence[Answer]]) -> dict[str, Doubles]:
    """Return ``mean_average_precision_SETUP`` of every answer, (n,) each, from the answers by setup.

    Their lengths differ: a query without correct items in a setup is left out of it.
    """
    return {f"{PRECISION}_{setup}": trapezoidal_average_precision(found) for setup, found in answers.items()}


def worst_failures(answers: Sequence[Answer], n: int) -> list[Answer]:
    """Return the ``n`` wrong predictions whose query and correct item lie farthest apart, the farthest first."""
    failures = [answer for answer in answers if answer.positions[0] > 0]
    return sorted(failures, key=lambda answer: (-answer.correct_distance, answer.query))[:n]


def _answered(asked: Sequence[int], *, vectors: tuple[Floats, Floats], truth: Truth) -> list[Answer]:
    queries, gallery = vectors
    keys = ranking_keys(queries[asked] @ gallery.T)
    answers = []
    for query, own, ascending in zip(asked, keys, np.sort(keys, axis=1), strict=True):
        found, junk = (_positions(own[items], ascending) for items in (truth.correct[query], truth.junk[query]))
        first_kept = int((np.append(junk, -1) != np.arange(len(junk) + 1)).argmax())
        predicted, correct = (int(indices_of(ascending[-1 - place])) for place in (first_kept, found[0]))
        distances = (1 - float(gallery[item].astype(np.float64) @ queries[query]) for item in (predicted, correct))
        positions = found - np.searchsorted(junk, found)
        answers.append(Answer(query, positions, predicted, correct, *distances))
    return answers


def _positions(listed: Ids, ascending: Ids) -> Ids:
    """Where the listed keys stand in the ranking, ascending from 0: the largest key comes first."""
    return np.sort(len(ascending) - 1 - np.searchsorted(ascending, listed))


def _scored(answers: Sequence[Answer], score: Callable[[Ids, Ids], float]) -> Doubles:
    """``score`` of the positions and of how many items are found up to each, 1 to their number."""
    return np.array([score(answer.positions, np.arange(1, len(answer.positions) + 1)) for answer in answers])


def _joined(*lists: Lists) -> Lists:
    return [np.unique(np.concatenate(parts)) for parts in zip(*lists, strict=True)]


def _reversed(lists: Lists, n_gallery: int) -> Lists:
    asking = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    items = np.concatenate([*lists, np.empty(0, dtype=np.int64)]).astype(np.int64)
    order = np.argsort(items, kind="stable")
    ends = np.cumsum(np.bincount(items, minlength=n_gallery))
    return np.split(asking[order], ends[:-1])
