"""First centroids: greedy k-means++ on all vectors, or as good ones of very many; or random vectors."""

from typing import Literal

import numpy as np

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.merging import merged
from equipoise.kernels.nearest import Floats
from equipoise.kernels.placement import stats_bytes
from equipoise.kernels.plusplus import greedy_plusplus
from equipoise.kernels.vectors import Vectors

Seeding = Literal["kmeans++", "kmeans||", "random"]
MOST_AT_ONCE = 20_000
"""Up to so many vectors k-means++ goes through all of them for every centroid, on the driver."""
ROUNDS = (0.25,) * 8
"""Candidates that are drawn in each round, in centroids to find: two for each in the end. Fewer rounds miss more."""
FEWEST_SOUGHT = 256
"""With fewer centroids to find as many candidates are drawn as for so many: they cost nothing."""


def sample_size(n: int, k: int, seeding: Seeding) -> int:
    """Vectors that the driver gets to seed ``k`` clusters of ``n`` from."""
    if seeding == "random":
        return k
    return n if is_small(n, seeding) else min(n, first_candidates(k) + sum(round_sizes(k)))


def seeded_bytes(n: int, k: int, dim: int, *, seeding: Seeding) -> int:
    """The most bytes that the driver gets at once for ``k`` clusters: sums, of the candidates too, or a sample."""
    sampled = sample_size(n, k, seeding)
    summed = k if seeding == "random" or is_small(n, seeding) else max(k, sampled)
    return max(stats_bytes(summed, dim), 4 * dim * sampled)


def is_small(n: int, seeding: Seeding) -> bool:
    """Whether k-means++ itself is done, on all ``n`` vectors."""
    return seeding == "kmeans++" and n <= MOST_AT_ONCE


def passes(n: int, seeding: Seeding) -> float:
    """How often all ``n`` vectors are held against as many candidates as there are centroids to find."""
    return 0.0 if seeding == "random" or is_small(n, seeding) else sum(ROUNDS)


def first_candidates(k: int) -> int:
    """How many random vectors the first candidates are."""
    return int(max(k, FEWEST_SOUGHT) ** 0.5)


def round_sizes(k: int) -> list[int]:
    """How many candidates each round draws."""
    return [int(share * max(k, FEWEST_SOUGHT)) for share in ROUNDS]


def seed_centroids(vectors: Vectors, k: int, *, method: Seeding, seed: int) -> Floats:
    """``k`` vectors to start from: (k, d) float32.

    ``kmeans++`` and ``random`` take items; above :data:`MOST_AT_ONCE` vectors, and by ``kmeans||``, they are means of
    some.

    Raises:
        InputError: ``k`` is above the number of vectors, or one that was looked at is not finite.
    """
    if k > vectors.count:
        raise InputError(f"k = {k} is above the number of vectors, {vectors.count}: lower k or bring more items")
    if method == "random":
        return _sample(vectors, k, seed=seed)
    if not is_small(vectors.count, method):
        return _of_candidates(vectors, k, seed=seed)
    every = _sample(vectors, vectors.count, seed=seed)
    return every[greedy_plusplus(every, k, seed=derived_seed(seed, Purpose.SEEDING))]


def _of_candidates(vectors: Vectors, k: int, *, seed: int) -> Floats:
    """Twice as many candidates as centroids, drawn from all vectors, merged by what they stand for until k are left.

    Each round draws by the squared distance to the candidates before, so that what is far from all of them, as the
    rare is, is not missed; merging takes together what was drawn twice. Where so few vectors differ that there are
    not k candidates, random ones come on top.

    Source: Bahmani et al. 2012 (k-means||) draw so, from one first candidate, and take k-means++ among them; merging
    by Ward's criterion costs less than that by far, and gives a lower objective.
    """
    with vectors.candidates() as candidates:
        candidates.add(_sample(vectors, min(first_candidates(k), vectors.count), seed=seed))
        for turn, n in enumerate(round_sizes(k)):
            drawn = candidates.sample_far(n, seed=derived_seed(seed, Purpose.SEEDING, turn))
            if len(drawn):
                candidates.add(drawn)
        stats = candidates.stats()
        held = np.flatnonzero(stats.counts)
        weights = stats.counts[held].astype(np.float64)
        means = (stats.sums[held] / weights[:, None]).astype(np.float32)
        found = merged(means, weights, k, neighbours=candidates.neighbours)
    return found if len(found) == k else np.concatenate([found, _sample(vectors, k - len(found), seed=seed)])


def _sample(vectors: Vectors, n: int, *, seed: int) -> Floats:
    sample = vectors.sample(n, seed=seed)
    if not np.isfinite(sample).all():
        raise InputError("some vector is not finite (NaN or infinity): leave such items out")
    return sample
