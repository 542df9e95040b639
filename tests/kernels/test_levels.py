import numpy as np
import pytest

from equipoise.kernels.levels import KMeans, Level, LevelState, fit_level
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.vectors import ArrayVectors
from equipoise.papers.simulation import toy_points

DATA = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
VECTORS = ArrayVectors(DATA)


def states_of(level, *, state=None):
    states: list[LevelState] = []
    centroids = fit_level(VECTORS, level, kmeans=KMeans(iterations=8), seed=5, state=state, on_step=states.append)
    return centroids, states


@pytest.mark.parametrize(
    ("count", "k", "points", "expected"),
    [
        (10000000, 500000, "half", 10),
        (500000, 50000, "half", 5),
        (50000, 10000, "half", 2),
        (100, 90, "half", 2),
        (100, 10, 7, 7),
    ],
)
def test_resampling_keeps_half_of_the_mean_cluster_size_at_least_two(count, k, points, expected):
    assert Level(k, rounds=10, points=points).points_per_cluster(count) == expected


def test_the_toy_of_the_paper_comes_out_as_computed():
    """Vo et al. 2024, section 3.2: k-means splits the dense part rather than keep the sparse ones apart."""
    vectors = ArrayVectors(toy_points())
    *_, best = lloyd(vectors, Iteration(0, np.array([[0.9], [1.1], [2.5]], np.float32), np.inf), iterations=300)
    np.testing.assert_allclose(best.centroids.ravel(), [0.95, 1.05, 2.5], atol=1e-3)
    assert best.objective == pytest.approx(5.168, abs=1e-3)
    assert vectors.assign(np.array([[1], [2], [3]], np.float32)).objective == pytest.approx(16.67, abs=0.01)


def test_from_its_own_seeds_the_toy_ends_where_the_paper_says():
    """The 6.0 that the paper prints is a local optimum: 0.95, 1.05 and 3, distortion 5.97."""
    vectors = ArrayVectors(toy_points())
    fitted = fit_level(vectors, Level(3), kmeans=KMeans(iterations=300, tolerance=0), seed=0)
    np.testing.assert_allclose(np.sort(fitted.ravel()), [0.95, 1.05, 3], atol=2e-3)
    assert vectors.assign(fitted).objective == pytest.approx(5.97, abs=0.01)


def test_every_round_clusters_the_members_closest_to_the_centroids_of_the_round_before():
    centroids, states = states_of(Level(20, rounds=2, points=10))
    assert [state.resampling for state in states if state.step.is_last] == [0, 1, 2]
    assert states[0].anchor is None
    ends = {state.resampling: state.step.centroids for state in states if state.step.is_last}
    for state in states:
        if state.resampling:
            np.testing.assert_array_equal(state.anchor, ends[state.resampling - 1])
    np.testing.assert_array_equal(centroids, ends[2])
    members = VECTORS.closest(ends[1], 10)
    last = [state for state in states if state.resampling == 2][-1]
    assert members.count <= 200 and last.step.objective < VECTORS.assign(centroids).objective


@pytest.mark.parametrize("broken_off_at", [1, 5, 8, 12])
def test_continued_from_any_state_a_level_ends_with_the_same_bits(broken_off_at):
    level = Level(20, rounds=2, points=10)
    centroids, states = states_of(level)
    resumed, _ = states_of(level, state=states[broken_off_at])
    assert resumed.tobytes() == centroids.tobytes()


def test_resampling_flattens_the_density_of_the_centroids():
    """The share of centroids in the dense tenth of the space falls (Vo et al. 2024, figure 2)."""
    generator = np.random.default_rng(1)
    dense, sparse = generator.normal(scale=0.05, size=(9000, 1)), generator.uniform(-3, 3, size=(1000, 1))
    vectors = ArrayVectors(np.concatenate([dense, sparse]))
    share = {}
    for rounds in (0, 10):
        centroids = fit_level(vectors, Level(200, rounds=rounds), kmeans=KMeans(), seed=0)
        share[rounds] = (np.abs(centroids) < 0.15).mean()
    assert share[10] < 0.7 * share[0]


def test_seeds_differ_from_round_to_round_and_follow_the_seed():
    first, _ = states_of(Level(20))
    second, _ = states_of(Level(20))
    np.testing.assert_array_equal(first, second)
    other = fit_level(VECTORS, Level(20), kmeans=KMeans(iterations=8), seed=6)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("level", "count", "kept"),
    [
        (Level(5_000, rounds=10), 10_000, "up to 10,000"),
        (Level(5_000, rounds=10), 14_999, "up to 10,000"),
        (Level(5_000, rounds=10), 7_000, "up to 7,000"),
        (Level(5_000, rounds=10), 15_000, ""),  # 2 of 3
        (Level(10_000, rounds=10), 50_000, ""),  # images_web: 2 of 5
        (Level(5_000, rounds=10, points=2), 10_000, ""),  # so much was asked for
        (Level(5_000), 10_000, ""),
    ],
)
def test_a_thin_level_is_one_of_whose_clusters_two_are_nearly_all(level, count, kept):
    note = level.thin_note(count)
    assert bool(note) == bool(kept) and kept in note
