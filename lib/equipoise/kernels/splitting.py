"""Coarse clusters first, then inside each of them a k-means of its own, once or level by level.

Once: how 10 million clusters were made for Vo et al. 2024 (100,000 of 100 each: their repository says so, not the
paper). Level by level: the vocabulary tree of Nister and Stewenius 2006, every node split into as many. No worker ever
sees more than the coarse centroids, or those inside one coarse cluster. Cluster ``above * branches + j`` is the j-th
inside ``above``.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Parts:
    """What was made inside one cluster: by level from the top, the nodes that those above were split into.

    Node ``p`` of a level has the children ``p * b`` to ``p * b + b - 1`` in the next, b the ``branching`` there; the
    cluster itself is node 0 above the first. ``ids`` (m,) ascend, and ``centroids`` (m, d) are theirs: some numbers are
    missing where too few members differ.
    """

    branching: tuple[int, ...]
    ids: tuple[Ids, ...]
    centroids: tuple[Floats, ...]

    def labelled(self, members: ArrayVectors) -> Assignments:
        """Each vector's node of the last level, found from the top down, and the squared distance to its centroid."""
        labels, distances_sq = np.zeros(members.count, np.int64), np.zeros(members.count, np.float32)
        for branches, ids, centroids in zip(self.branching, self.ids, self.centroids, strict=True):
            found = np.empty_like(labels)
            for number in np.unique(labels).tolist():
                begin, end = np.searchsorted(ids, [number * branches, (number + 1) * branches])
                inside = labels == number
                _, own, distances_sq[inside] = _subset(members, inside).assignments(centroids[begin:end])
                found[inside] = ids[begin:end][own]
            labels = found
        return Assignments(members.item_ids, labels, distances_sq)


def fit_parts(members: ArrayVectors, branching: Sequence[int], *, kmeans: KMeans, seed: int) -> Parts:
    """Splits one cluster into ``branching[0]`` nodes, each of these into ``branching[1]``, and so on.

    Args:
        members: of the cluster, or a sample of them.
        branching: what each node is split into, by level from the top.
        kmeans: metric, seeding and stopping.
        seed: of this cluster: :func:`seed_of_part`.

    Source: Nister and Stewenius 2006, section 3.
    """
    centroids = fit_part(members, branching[0], kmeans=kmeans, seed=seed)
    if len(branching) == 1:
        return Parts(tuple(branching), (np.arange(len(centroids)),), (centroids,))
    labels = members.assignments(centroids).labels
    nodes = np.unique(labels)  # one without members would have no children
    below = [
        fit_parts(_subset(members, labels == node), branching[1:], kmeans=kmeans, seed=seed_of_part(seed, node))
        for node in nodes.tolist()
    ]
    room = np.cumprod(branching[1:]).tolist()
    ids = [
        np.concatenate([node * width + parts.ids[depth] for node, parts in zip(nodes, below, strict=True)])
        for depth, width in enumerate(room)
    ]
    of_children = [np.concatenate([parts.centroids[depth] for parts in below]) for depth in range(len(room))]
    return Parts(tuple(branching), (nodes, *ids), (centroids[nodes], *of_children))


def seed_of_part(seed: int, number: int) -> int:
    """The seed of the k-means inside node ``number``, from that of what it is a part of."""
    return derived_seed(seed, Purpose.SPLIT, number)


def split_arrays(
    vectors: ArrayVectors, coarse: Floats, branching: Sequence[int], *, kmeans: KMeans, seed: int
) -> tuple[tuple[Floats, ...], Assignments]:
    """All coarse clusters (k0, d) split, in memory, as :func:`fit_parts` does it.

    Returns:
        By level, the finest first, centroids (k0 * branching[0] * ..., d), zeros where a cluster could not be made, and
        every item's cluster among the finest.
    """
    of_coarse = vectors.assignments(coarse).labels
    labels, distances_sq = np.empty_like(of_coarse), np.zeros(vectors.count, dtype=np.float32)
    room = np.cumprod(branching).tolist()
    centroids = [np.zeros((len(coarse) * width, vectors.dim), dtype=np.float32) for width in room]
    for number in np.unique(of_coarse).tolist():
        inside = of_coarse == number
        members = _subset(vectors, inside)
        parts = fit_parts(members, branching, kmeans=kmeans, seed=seed_of_part(seed, number))
        for level, width, ids, own in zip(centroids, room, parts.ids, parts.centroids, strict=True):
            level[number * width + ids] = own
        found = parts.labelled(members)
        labels[inside], distances_sq[inside] = number * room[-1] + found.labels, found.distances_sq
    return tuple(reversed(centroids)), Assignments(vectors.item_ids, labels, distances_sq)


def squared_distances(vectors: Floats, others: Floats) -> Floats:
    """Of each row (n, d) from the same row of ``others``, (n,) float32."""
    return ((vectors.astype(np.float64) - others) ** 2).sum(axis=1).astype(np.float32)


def _subset(vectors: ArrayVectors, inside: NDArray[np.bool_]) -> ArrayVectors:
    if inside.all():
        return vectors
    return ArrayVectors(vectors.vectors[inside], vectors.item_ids[inside], kernel=vectors.kernel)


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
