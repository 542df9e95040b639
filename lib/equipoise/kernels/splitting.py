"""Very many clusters in two steps: coarse clusters, then inside each of them a k-means of its own.

How 10 million clusters were made for Vo et al. 2024 (100,000 of 100 each: their repository says so, not the paper): no
worker ever sees more than the coarse centroids, or those inside one coarse cluster. Cluster ``coarse * splits + j`` is
the j-th inside ``coarse``.
"""

import heapq

import numpy as np

from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.levels import KMeans, Level, fit_level
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import ArrayVectors, Assignments, Ids


def fit_part(members: ArrayVectors, splits: int, *, kmeans: KMeans, seed: int) -> Floats:
    """The centroids inside one coarse cluster: (m, d), m at most ``splits``, fewer where so few members differ.

    Args:
        members: of the coarse cluster, or a sample of them.
        splits: clusters to make.
        kmeans: metric, seeding and stopping.
        seed: of this cluster: :func:`seed_of_part`.
    """
    if members.count <= splits or (members.vectors == members.vectors[0]).all():
        return np.unique(members.vectors, axis=0)
    return fit_level(members, Level(splits), kmeans=kmeans, seed=seed)


def seed_of_part(seed: int, coarse: int) -> int:
    """The seed of the k-means inside cluster ``coarse``, from that of the level."""
    return derived_seed(seed, Purpose.SPLIT, coarse)


def split_arrays(
    vectors: ArrayVectors, coarse: Floats, *, splits: int, kmeans: KMeans, seed: int
) -> tuple[Floats, Assignments]:
    """All coarse clusters (k0, d) split, in memory.

    Returns:
        Centroids (k0 * splits, d), zeros where a cluster could not be made, and every item's cluster among them.
    """
    of_coarse = vectors.assignments(coarse).labels
    labels = np.empty_like(of_coarse)
    centroids = np.zeros((len(coarse) * splits, vectors.dim), dtype=np.float32)
    distances_sq = np.zeros(vectors.count, dtype=np.float32)
    for number in np.unique(of_coarse).tolist():
        inside = np.flatnonzero(of_coarse == number)
        members = ArrayVectors(vectors.vectors[inside], vectors.item_ids[inside])
        parts = fit_part(members, splits, kmeans=kmeans, seed=seed_of_part(seed, number))
        centroids[number * splits : number * splits + len(parts)] = parts
        _, own, distances_sq[inside] = members.assignments(parts)
        labels[inside] = number * splits + own
    return centroids, Assignments(vectors.item_ids, labels, distances_sq)


def tasks_of(sizes: Ids, *, most: int, n_tasks: int) -> Ids:
    """Fills tasks with clusters, the largest first, always into the task that has least: (k0,) task numbers.

    Args:
        sizes: (k0,) members that each cluster brings, none above ``most``.
        most: members that a task may hold.
        n_tasks: tasks to fill; more are opened where a cluster fits into none. Task 0 gets the largest cluster.

    Source: Graham 1969, longest processing time first: within 4/3 of the best schedule.
    """
    task_of = np.zeros(len(sizes), dtype=np.int64)
    filled = [(0, task) for task in range(max(1, n_tasks))]
    for cluster in np.argsort(-sizes, kind="stable").tolist():
        held, task = filled[0]
        if held + sizes[cluster] > most and held:
            held, task = 0, len(filled)
            heapq.heappush(filled, (int(sizes[cluster]), task))
        else:
            heapq.heapreplace(filled, (held + int(sizes[cluster]), task))
        task_of[cluster] = task
    return task_of
