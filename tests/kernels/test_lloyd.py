import itertools

import numpy as np
import pytest
from sklearn.cluster import KMeans as ReferenceKMeans

from equipoise.errors import InputError
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.vectors import ArrayVectors, unit_length

INFINITE = float("inf")


def mixture(n, dim, *, seed=0, n_blobs=20):
    generator = np.random.default_rng(seed)
    centres = generator.normal(scale=3, size=(n_blobs, dim))
    return (centres[generator.integers(0, n_blobs, n)] + generator.normal(size=(n, dim))).astype(np.float32)


def last(steps):
    *_, step = steps
    return step


@pytest.mark.parametrize(("n", "dim", "k"), [(500, 2, 7), (5_000, 16, 40), (50_000, 64, 300)])
@pytest.mark.parametrize("iterations", [1, 5])
def test_from_the_same_seeds_labels_are_those_of_scikit_learn(n, dim, k, iterations):
    data = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    vectors = ArrayVectors(data)
    step = last(lloyd(vectors, Iteration(0, data[:k], INFINITE), iterations=iterations))
    reference = ReferenceKMeans(k, init=data[:k], n_init=1, max_iter=iterations, tol=0).fit(data)
    np.testing.assert_array_equal(vectors.assignments(step.centroids).labels, reference.labels_)
    np.testing.assert_allclose(step.centroids, reference.cluster_centers_, atol=1e-4)


def test_converged_the_objective_is_that_of_scikit_learn():
    data = mixture(20_000, 16)
    vectors = ArrayVectors(data)
    step = last(lloyd(vectors, Iteration(0, data[:50], INFINITE), iterations=300))
    reference = ReferenceKMeans(50, init=data[:50], n_init=1, max_iter=300, tol=0).fit(data)
    assert step.objective == pytest.approx(reference.inertia_, rel=1e-4)


def test_one_iteration_by_hand():
    vectors = ArrayVectors([[0.0], [1.0], [10.0], [12.0]])
    step = last(lloyd(vectors, Iteration(0, np.array([[0.0], [10.0]], np.float32), INFINITE), iterations=1))
    np.testing.assert_array_equal(step.centroids, [[0.5], [11.0]])
    assert step.objective == 0 + 1 + 0 + 4
    assert (step.iteration, step.n_empty, step.is_last) == (1, 0, True)


def test_the_objective_never_rises():
    data = mixture(3_000, 8)
    objectives = [s.objective for s in lloyd(ArrayVectors(data), Iteration(0, data[:30], INFINITE), iterations=50)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(objectives))


def test_it_stops_once_the_relative_change_is_within_the_tolerance():
    data = mixture(3_000, 8)
    steps = list(lloyd(ArrayVectors(data), Iteration(0, data[:30], INFINITE), iterations=200, tolerance=0.01))
    changes = [1 - later.objective / earlier.objective for earlier, later in itertools.pairwise(steps)]
    assert changes[-1] <= 0.01 and all(change > 0.01 for change in changes[:-1])
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [True]


def test_broken_off_and_continued_it_ends_with_the_same_bits():
    data = mixture(3_000, 8)
    whole = list(lloyd(ArrayVectors(data), Iteration(0, data[:30], INFINITE), iterations=20, tolerance=1e-4))
    resumed = list(lloyd(ArrayVectors(data), whole[2], iterations=20, tolerance=1e-4))
    assert resumed[-1].centroids.tobytes() == whole[-1].centroids.tobytes()
    assert [step.iteration for step in resumed] == [step.iteration for step in whole[3:]]
    assert list(lloyd(ArrayVectors(data), whole[-1], iterations=20, tolerance=1e-4)) == []


def test_an_empty_cluster_moves_to_the_farthest_member_of_the_costliest():
    vectors = ArrayVectors([[0.0], [1.0], [2.0], [10.0], [30.0]])
    start = np.array([[1.0], [14.0], [1000.0]], np.float32)
    step = last(lloyd(vectors, Iteration(0, start, INFINITE), iterations=1))
    assert step.n_empty == 1
    np.testing.assert_array_equal(step.centroids, [[1.0], [10.0], [30.0]])


def test_more_clusters_than_different_vectors_leaves_some_empty_and_ends():
    vectors = ArrayVectors(np.repeat([[0.0], [5.0]], 10, axis=0))
    step = last(lloyd(vectors, Iteration(0, np.array([[0], [5], [5]], np.float32), INFINITE), iterations=10))
    assert step.objective == 0 and step.n_empty == 1


def test_equal_vectors_are_refused_with_their_number():
    vectors = ArrayVectors(np.full((7, 3), 0.1))
    with pytest.raises(InputError, match="all 7 vectors are equal"):
        list(lloyd(vectors, Iteration(0, vectors.vectors[:2], INFINITE), iterations=5))


def test_spherical_centroids_keep_unit_length_and_point_to_the_mean():
    data = unit_length(mixture(500, 4))
    step = last(lloyd(ArrayVectors(data), Iteration(0, data[:5], INFINITE), iterations=1, spherical=True))
    np.testing.assert_allclose(np.linalg.norm(step.centroids, axis=1), 1, rtol=1e-6)
    labels = (data @ data[:5].T).argmax(axis=1)
    means = np.stack([data[labels == label].mean(axis=0) for label in range(5)])
    np.testing.assert_allclose(step.centroids, unit_length(means), atol=1e-6)
