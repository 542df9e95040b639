"""Levels for a pool: the ratios of Vo et al. 2024 (743 million images -> 10M, 500k, 50k, 10k), with the reasons."""

from collections.abc import Callable
from dataclasses import dataclass

from equipoise.errors import ConfigError
from equipoise.kernels.levels import Level

ITEMS_PER_CLUSTER = 75
"""At most so many items a level-1 cluster on average; published: 74 (images), 64 (texts), 36 (satellite tiles)."""
RATIOS = (20, 10, 5)
"""How many times fewer clusters the levels above have; the last one goes on where more levels are needed."""
FEWEST_AT_THE_TOP = 10
FINE_CLUSTERS = 2000
"""A small pool gets clusters of fewer items, so that there is a tree: this many, or one for two items."""
COARSE_CLUSTERS = 100_000
"""The authors ran 10M as 100k x 100: so many centroids are quick to send to every worker."""
MOST_RESAMPLED = 1_000_000
"""Up to so many clusters an upper level stays whole, since a split one takes no resampling."""
ROUNDS = 10
"""Of resampling, on every level but the first, as published."""


@dataclass(frozen=True)
class Suggestion:
    """One level, and why it is as it is."""

    level: Level
    reason: str


def suggest_levels(n_items: int, target: int) -> tuple[Suggestion, ...]:
    """Levels for ``n_items``, of which ``target`` are to be selected, from the finest up.

    Raises:
        ConfigError: there are fewer than two items, or the target is not between 1 and their number.
    """
    if n_items < 2:
        raise ConfigError(f"--items {n_items}: there is nothing to cluster in fewer than 2 items")
    if not 1 <= target < n_items:
        raise ConfigError(
            f"--target {target:,} must be from 1 to {n_items - 1:,}, below the number of items: "
            "with all items selected there is nothing to balance"
        )
    first = first_k(n_items)
    reason = f"{n_items / first:.1f} items a cluster (at most {ITEMS_PER_CLUSTER}), {target / first:.2g} of them wanted"
    suggestions = [_suggestion(first, reason, rounds=0)]
    while True:
        below, number = suggestions[-1].level.k, len(suggestions)
        ratio = RATIOS[min(number, len(RATIOS)) - 1]
        k = below // ratio
        is_needed = number <= len(RATIOS) or below > target
        if k < FEWEST_AT_THE_TOP or not is_needed:
            return tuple(suggestions)
        why = (
            ""
            if number <= len(RATIOS)
            else f", since the target of {target:,} is below the {below:,} of level {number}"
        )
        suggestions.append(_suggestion(k, f"{ratio} times fewer than level {number}{why}", rounds=ROUNDS))


def first_k(n_items: int) -> int:
    """Clusters of level 1: the smallest of 1, 2, 5, 10, ... with few enough items each; more for a small pool."""
    wanted = _smallest_round(lambda k: k * ITEMS_PER_CLUSTER >= n_items)
    if wanted >= FINE_CLUSTERS:
        return wanted
    return min(FINE_CLUSTERS, _largest_round(n_items // 2))


def splits_for(k: int, is_fit: Callable[[int], bool]) -> int | None:
    """The fewest splits for which ``k0 = k / splits`` coarse clusters are few, and which fit; None where none do.

    Args:
        k: clusters of the level.
        is_fit: whether a number of splits can be run.
    """
    divisors = [splits for splits in _round_numbers(k // 2) if splits > 1 and k % splits == 0 and is_fit(splits)]
    few = [splits for splits in divisors if k // splits <= COARSE_CLUSTERS]
    return min(few or divisors, default=None)


def _suggestion(k: int, reason: str, *, rounds: int) -> Suggestion:
    is_whole = k <= (MOST_RESAMPLED if rounds else COARSE_CLUSTERS)
    splits = None if is_whole else splits_for(k, lambda splits: True)
    if splits is None:
        resampled = f"; {rounds} rounds of resampling, as published" if rounds else ""
        return Suggestion(Level(k, rounds=rounds), reason + resampled)
    without = ", and so without resampling" if rounds else ""
    how = f"; by {k // splits:,} coarse clusters of {splits} each, whose centroids fit into every worker{without}"
    return Suggestion(Level(k, splits=splits), reason + how)


def _round_numbers(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... up to ``most``."""
    return [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5) if digit * 10**power <= most]


def _largest_round(most: int) -> int:
    return _round_numbers(most)[-1]


def _smallest_round(is_enough: Callable[[int], bool]) -> int:
    power = 0
    while True:
        for digit in (1, 2, 5):
            if is_enough(digit * 10**power):
                return digit * 10**power
        power += 1
