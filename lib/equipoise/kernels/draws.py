"""Randomness as a function: one 64-bit draw for every (seed, purpose, id), the same bits in numpy and Spark.

A draw depends on nothing but its keys, so results do not move with the partitioning, the number of cores or
the order of the rows, and a smaller sample lies inside a larger one.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import ConfigError

_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)
_SPARK_SEED = np.uint64(42)  # what Spark's xxhash64 starts from
_CHUNK = 1 << 16  # ids hashed at a time: the temporaries stay in the cache


class Purpose(IntEnum):
    """What a draw is for: no two uses share draws. Values are part of every result: never change one."""

    SEEDING = 1  # k-means++: first centroids
    RESAMPLING = 2  # new seeding of a resampling round
    REMAINDER = 3  # which children get what is left of a parent's budget
    WITHIN = 4  # which items of a cluster
    SALT = 5  # how a huge group is cut into parts for ranking
    BASELINE = 6  # the random selection that a curated one is compared with
    PICTURE = 7  # which items a picture shows
    SAMPLE = 8  # subsamples of vectors, for seeding or fitting
    EMPTY = 9  # re-seeding of empty clusters
    SIMULATION = 10  # the papers' synthetic data
    SPLIT = 11  # the k-means inside a coarse cluster
    EVALUATION = 12  # train and test parts, probes
    BLOCK = 13  # which part of a large cluster an item is compared in
    CONTRACTION = 14  # where items go in a round of connected components
    SEMDEDUP = 15  # the seed of a round of SemDeDup, and its order at random
    CALIBRATION = 16  # which items tell what thresholds would remove


def draws(seed: int, purpose: Purpose, *keys: ArrayLike) -> NDArray[np.int64]:
    """Return Spark's ``xxhash64(cast(seed as bigint), cast(purpose as bigint), key, ...)``, bit for bit.

    Args:
        seed: the user's seed, within int64.
        purpose: what the draws are for.
        keys: int64 arrays (or ints) that broadcast against each other: an item's id, a cluster's level, id.
            A key of a narrower type counts as a BIGINT: cast the Spark column likewise.

    Returns:
        int64 array in the broadcast shape of ``keys``, uniform over all of int64.

    Raises:
        ConfigError: the seed does not fit into 64 bits.

    Source: xxHash64 of one 8-byte value (``XXH64.hashLong`` in Spark), each hash the seed of the next.
    """
    if not -(2**63) <= seed < 2**63:
        raise ConfigError(f"seed is {seed}; it must fit into 64 bits (-2^63 to 2^63 - 1): choose a smaller one")
    start = _hash_long(_bits(int(purpose)), _hash_long(_bits(seed), _SPARK_SEED))
    columns = np.broadcast_arrays(*(np.asarray(key, dtype=np.int64) for key in keys))
    hashed = np.empty(columns[0].shape, dtype=np.uint64)
    flat, parts = hashed.reshape(-1), [column.reshape(-1).view(np.uint64) for column in columns]
    for begin in range(0, flat.size, _CHUNK):
        chain: Any = start
        for part in parts:
            chain = _hash_long(part[begin : begin + _CHUNK], chain)
        flat[begin : begin + _CHUNK] = chain
    return hashed.view(np.int64)


def draw_up_to(share: float) -> int:
    """Return the value up to which the given share of all draws lies, at most the largest draw."""
    return min(int(share * 2.0**64) - 2**63, 2**63 - 1)


def derived_seed(seed: int, purpose: Purpose, *numbers: int) -> int:
    """Return a seed in [0, 2^32) for a numpy, torch or faiss generator, from the user's seed.

    Args:
        seed: the user's seed, within int64.
        purpose: what the generator is for.
        numbers: what tells one use from the next: level, round, cluster.
    """
    return int(draws(seed, purpose, *(numbers or (0,)))) & 0xFFFFFFFF


def _bits(value: int) -> NDArray[np.uint64]:
    return np.array([value], dtype=np.int64).view(np.uint64)


def _rotate(words: NDArray[np.uint64], left: int) -> NDArray[np.uint64]:
    return (words << np.uint64(left)) | (words >> np.uint64(64 - left))


def _hash_long(words: NDArray[np.uint64], seed: Any) -> NDArray[np.uint64]:
    """Hash 8-byte words; products and sums wrap around, as arrays of numpy do silently."""
    mixed = (seed + _PRIME_5 + np.uint64(8)) ^ (_rotate(words * _PRIME_2, 31) * _PRIME_1)
    mixed = _rotate(mixed, 27) * _PRIME_1 + _PRIME_4
    mixed = (mixed ^ (mixed >> np.uint64(33))) * _PRIME_2
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _PRIME_3
    return mixed ^ (mixed >> np.uint64(32))
