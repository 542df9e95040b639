"""What the clusters of a tree are split into; apart from what splits them, for a config is checked without numpy."""

import itertools
from collections.abc import Sequence

from equipoise.errors import ConfigError


def branching_of(ks: Sequence[int]) -> tuple[int, ...]:
    """What each node of a tree is split into, by level from the top down, from the numbers of clusters, finest first.

    Raises:
        ConfigError: one is no multiple of the next, which is above it.
    """
    for number, (below, above) in enumerate(itertools.pairwise(ks), start=1):
        if below % above:
            raise ConfigError(
                f"a tree that is split from the top needs k of level {number} to be a multiple of that of level "
                f"{number + 1}: {below:,} is none of {above:,}; take {below // above * above or above:,}"
            )
    return tuple(below // above for below, above in itertools.pairwise(ks))[::-1]
