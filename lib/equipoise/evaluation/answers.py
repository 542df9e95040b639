"""Exact match: is the text that a model gave one of the right ones?"""

import re
import string
from collections.abc import Sequence

import numpy as np

from equipoise.errors import InputError
from equipoise.evaluation.features import Flags

EXACT_MATCH = "exact_match"

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return the text in lower case, without ASCII punctuation and English articles, with single spaces.

    Source: Rajpurkar et al. 2016, SQuAD: ``normalize_answer`` of its evaluation.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_matches(given: Sequence[str | None], right: Sequence[Sequence[str]]) -> Flags:
    """Return which answers are right, (n,) bool: equal, when normalised, to one of the right ones.

    Args:
        given: n answers; None is wrong.
        right: of each the texts that are right, one at least.

    Raises:
        InputError: lengths that differ, no answers, or a question without a right one.

    Source: Vo et al. 2024 report it of language models, on questions with answers of a few words.
    """
    if not len(given) or len(right) != len(given):
        raise InputError(f"there are {len(given)} answers and {len(right)} lists of right ones: give one of each")
    lacking = sum(not len(texts) for texts in right)
    if lacking:
        raise InputError(f"{lacking:,} of {len(right):,} questions have no right answer: leave those out")
    return np.array(
        [
            text is not None and normalised(text) in {normalised(one) for one in texts}
            for text, texts in zip(given, right, strict=True)
        ],
        dtype=bool,
    )
