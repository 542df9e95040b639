"""First centroids: greedy k-means++ on a sample, k-means||, or random vectors."""

from typing import Literal

import numpy as np

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.nearest import Floats
from equipoise.kernels.plusplus import greedy_plusplus
from equipoise.kernels.vectors import Vectors

Seeding = Literal["kmeans++", "kmeans||", "random"]
SAMPLE_SIZE = 20_000
"""k-means++ sees this many vectors: the objective after Lloyd is the same as from all, at a fraction of the time."""
SAMPLE_PER_CENTROID = 4
MOST_SOUGHT = 20_000
"""Above so many centroids k-means++, whose cost grows with their square, gives way to random vectors."""
PARALLEL_ROUNDS = 2
"""Passes of k-means||, each of which draws as many candidates as there are centroids to find."""


def sample_size(n: int, k: int, seeding: Seeding) -> int:
    """Vectors that the driver gets to seed ``k`` clusters of ``n`` from."""
    if seeding == "random" or k > MOST_SOUGHT:
        return k
    return (1 + PARALLEL_ROUNDS) * k if seeding == "kmeans||" else min(n, max(SAMPLE_SIZE, SAMPLE_PER_CENTROID * k))


def seed_centroids(vectors: Vectors, k: int, *, method: Seeding, seed: int) -> Floats:
    """``k`` different items of ``vectors`` to start from: (k, d) float32; random ones above :data:`MOST_SOUGHT`.

    Raises:
        InputError: ``k`` is above the number of vectors, or one that was sampled is not finite.
    """
    if k > vectors.count:
        raise InputError(f"k = {k} is above the number of vectors, {vectors.count}: lower k or bring more items")
    if method == "random" or k > MOST_SOUGHT:
        return _sample(vectors, k, seed=seed)
    if method == "kmeans||":
        return _parallel(vectors, k, seed=seed)
    sample = _sample(vectors, sample_size(vectors.count, k, method), seed=seed)
    return sample[greedy_plusplus(sample, k, seed=derived_seed(seed, Purpose.SEEDING))]


def _parallel(vectors: Vectors, k: int, *, seed: int) -> Floats:
    """Scalable k-means++: candidates drawn by their distance in a few passes, then k-means++ among them by weight.

    Source: Bahmani et al. 2012, started from k random candidates in place of one, which saves passes.
    """
    candidates = _sample(vectors, k, seed=seed)
    for turn in range(PARALLEL_ROUNDS):
        drawn = vectors.sample_far(candidates, k, seed=derived_seed(seed, Purpose.SEEDING, turn))
        candidates = np.concatenate([candidates, drawn])
    weights = vectors.assign(candidates).counts
    return candidates[greedy_plusplus(candidates, k, seed=derived_seed(seed, Purpose.SEEDING), weights=weights)]


def _sample(vectors: Vectors, n: int, *, seed: int) -> Floats:
    sample = vectors.sample(n, seed=seed)
    if not np.isfinite(sample).all():
        raise InputError("some vector is not finite (NaN or infinity): leave such items out")
    return sample
