"""Draws: Spark's own values, uniform, independent between purposes."""

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, derived_seed, draws

# select xxhash64(cast(seed as bigint), cast(purpose as bigint), id) on Spark 4.2.0
SPARK = [
    (0, 1, 0, -114366222456682446),
    (0, 4, 1, -2074822687874796558),
    (7, 3, -1, -4816698076598463309),
    (-3, 6, 2**63 - 1, -2512841006351229678),
    (2**63 - 1, 5, -(2**63), 7958334597629190015),
]


@pytest.mark.parametrize(("seed", "purpose", "item_id", "expected"), SPARK)
def test_golden_values_of_spark(seed: int, purpose: int, item_id: int, expected: int) -> None:
    drawn = draws(seed, Purpose(purpose), np.array([item_id], dtype=np.int64))
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [expected]


def test_keys_chain_and_broadcast() -> None:
    assert int(draws(7, Purpose.REMAINDER, 3, 11)) == 6894449452179174888
    both = draws(7, Purpose.REMAINDER, 3, np.arange(20).reshape(4, 5))
    assert both.shape == (4, 5)
    assert both[2, 1] == 6894449452179174888


def test_long_arrays_equal_their_parts() -> None:
    ids = np.arange(150_000)
    whole = draws(1, Purpose.WITHIN, ids)
    np.testing.assert_array_equal(whole[::1000], draws(1, Purpose.WITHIN, ids[::1000]))
    np.testing.assert_array_equal(whole[::-1], draws(1, Purpose.WITHIN, ids[::-1]))


def test_no_ids_no_draws() -> None:
    assert draws(0, Purpose.WITHIN, np.empty(0, dtype=np.int64)).shape == (0,)


def test_uniform_over_all_of_int64() -> None:
    counts = np.bincount((draws(0, Purpose.WITHIN, np.arange(64_000)) >> np.int64(58)) + 32, minlength=64)
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 120  # chi-square with 63 degrees of freedom, p about 1e-5


def test_purposes_and_seeds_share_nothing() -> None:
    ids = np.arange(20_000)
    columns = [draws(seed, purpose, ids) for seed in (0, 1) for purpose in Purpose]
    assert np.unique(np.concatenate(columns)).size == len(columns) * ids.size
    correlation = np.corrcoef(np.array(columns, dtype=np.float64))
    assert np.abs(correlation - np.eye(len(columns))).max() < 0.04


def test_purpose_values_are_fixed_for_ever() -> None:
    assert {purpose.name: int(purpose) for purpose in list(Purpose)[:9]} == {
        "SEEDING": 1, "RESAMPLING": 2, "REMAINDER": 3, "WITHIN": 4, "SALT": 5, "BASELINE": 6, "PICTURE": 7,
        "SAMPLE": 8, "EMPTY": 9,
    }  # fmt: skip


def test_derived_seed() -> None:
    assert derived_seed(0, Purpose.SEEDING) == 3492448306
    assert derived_seed(5, Purpose.RESAMPLING, 2, 3) == 3139845054
    assert derived_seed(5, Purpose.RESAMPLING, 3, 2) != 3139845054
    seeds = {derived_seed(s, Purpose.SEEDING, i) for s in range(10) for i in range(100)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**32


def test_seed_beyond_64_bits() -> None:
    with pytest.raises(ConfigError, match="seed is 9223372036854775808"):
        draws(2**63, Purpose.SEEDING, 0)
