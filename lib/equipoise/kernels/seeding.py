"""First centroids: greedy k-means++ (Arthur and Vassilvitskii 2007) on a sample, or random vectors."""

from typing import Literal

from sklearn.cluster import kmeans_plusplus

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.nearest import Floats
from equipoise.kernels.threads import blas_threads
from equipoise.kernels.vectors import Vectors

Seeding = Literal["kmeans++", "random"]
SAMPLE_SIZE = 20_000
"""k-means++ sees this many vectors: the objective after Lloyd is the same as from all, at a fifth of the time."""
SAMPLE_PER_CENTROID = 4


def seed_centroids(vectors: Vectors, k: int, *, method: Seeding, seed: int) -> Floats:
    """``k`` different items of ``vectors`` to start from: (k, d) float32.

    Raises:
        InputError: ``k`` is above the number of vectors.
    """
    if k > vectors.count:
        raise InputError(f"k = {k} is above the number of vectors, {vectors.count}: lower k or bring more items")
    if method == "random":
        return vectors.sample(k, seed=seed)
    sample = vectors.sample(min(vectors.count, max(SAMPLE_SIZE, SAMPLE_PER_CENTROID * k)), seed=seed)
    with blas_threads(1):
        centroids, _ = kmeans_plusplus(sample, k, random_state=derived_seed(seed, Purpose.SEEDING))
    return centroids
