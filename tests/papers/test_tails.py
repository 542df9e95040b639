"""Pools with a long tail: equal totals, sizes by a power law, and pairs on their side of SemDeDup's threshold."""

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.papers.tails import LEAST, long_tail


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_copies_lie_above_the_threshold_and_different_items_of_a_cluster_below(exponent):
    made = long_tail(20, 400, 4, exponent=exponent, dim=128, seed=0)
    cosines = made.vectors @ made.vectors.T
    is_copy = made.origins[:, None] == made.origins
    is_near = made.clusters[:, None] == made.clusters
    assert cosines[is_copy].min() > 0.9
    assert cosines[is_near & ~is_copy].max() < 0.8
    assert abs(cosines[~is_near]).max() < cosines[is_near].min()
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, rtol=1e-6)


def test_sizes_go_by_the_power_law_and_totals_stay():
    """Of 10 items beside the four that each cluster has, shares of 1, 1/2 and 1/3: 5.45, 2.73 and 1.82."""
    made = long_tail(3, 22, 5, exponent=1, dim=8, seed=3)
    assert np.bincount(made.clusters).tolist() == [5 * (LEAST + extra) for extra in (5, 3, 2)]
    assert np.bincount(made.origins).tolist() == [5] * 22
    even = long_tail(3, 24, 5, exponent=0, dim=8, seed=3)
    assert np.bincount(even.clusters).tolist() == [40] * 3


def test_the_seed_decides():
    one, again, other = (long_tail(3, 12, 2, exponent=1, dim=9, seed=seed).vectors for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("n_origins, dim", [(11, 9), (12, 3)])
def test_too_few_items_or_dimensions_are_refused(n_origins, dim):
    with pytest.raises(
        ConfigError, match=rf"^{n_origins} items in {dim} dimensions are too few for 3 clusters: give 4"
    ):
        long_tail(3, n_origins, 1, exponent=1, dim=dim, seed=0)
