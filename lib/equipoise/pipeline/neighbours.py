"""Pairs of similar items: all above a cosine, among the items, inside clusters of them, or of two sets.

Items are put into blocks along coarse clusters. Pairs of blocks that their cones prove apart are skipped; the others go
to tasks, groups of blocks by groups of blocks, where a bound rules out nearly all pairs of items
(:mod:`equipoise.kernels.pairs`). What is found is exact, and so the same whatever the clusters, blocks and partitions;
only above ``exact_limit`` are clusters held against their nearest neighbours alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np
from pyspark import RDD
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError, NoVectorsError
from equipoise.kernels.bounds import fit_basis
from equipoise.kernels.draws import Purpose, derived_seed, draw_up_to
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.block_plan import (
    can_skip,
    cells_among,
    cells_inside,
    cells_of_all,
    coarse_centroids,
    groups_of_all,
)
from equipoise.pipeline.blocks import count_and_dim, is_zero, rows_per_block
from equipoise.pipeline.compared_blocks import ComparedBlocks, clustered_blocks, fitted_blocks, packed_blocks
from equipoise.pipeline.comparing import Comparison, compared
from equipoise.pipeline.quotas import draw_of
from equipoise.pipeline.search import Search
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.schemas import Col

SAMPLED = 4096
"""Vectors that the basis of the bound is fitted on, and the clusters on no fewer."""
SAMPLED_PER_CLUSTER = 32
ZEROS_ALONE = (
    "there are no vectors but zeros, which have no direction and are like none: check the encoder and what it was "
    "given, or the vectors as they came"
)


def neighbour_pairs(embeddings: DataFrame, search: Search) -> AbstractContextManager[DataFrame]:
    """Pairs of items above the threshold, each once; runs jobs, and pairs are computed when they are used.

    Args:
        embeddings: item_id BIGINT (each once), embedding ARRAY<FLOAT>, finite, of any length; a zero vector is in no
            pair.
        search: what is sought.

    Yields:
        src BIGINT < dst BIGINT, similarity FLOAT, as long as the context lasts.

    Raises:
        InputError: no vectors but zeros, vectors of different lengths, or too many for the memory of a task.
    """
    return _sought([embeddings], search)


def neighbour_pairs_between(
    embeddings: DataFrame, others: DataFrame, search: Search
) -> AbstractContextManager[DataFrame]:
    """The same of two sets: src is one of ``embeddings``, dst one of ``others``, whichever is greater."""
    return _sought([embeddings, others], search)


@contextmanager
def neighbour_pairs_within(embeddings: DataFrame, clusters: DataFrame, search: Search) -> Iterator[DataFrame]:
    """The same inside clusters alone, as SemDeDup seeks them: exact, whatever the number of items.

    Args:
        embeddings: as for :func:`neighbour_pairs`.
        clusters: item_id, cluster_id BIGINT; items without one are in no pair. The driver gets a number a cluster.
        search: what is sought.
    """
    with ExitStack() as stack:
        spark, members = embeddings.sparkSession, embeddings.where(~is_zero(Col.embedding))
        count, dim = count_and_dim(members, spherical=False)
        sample = _sampled_rows(members, count, seed=search.seed)
        made = clustered_blocks(
            members,
            clusters,
            dim=dim,
            most=search.fitting_block(dim),
            task_bytes=search.making_bytes,
            seed=search.seed,
        )
        blocks = stack.enter_context(made)
        cells = cells_inside(blocks, search, spark, dim=dim)
        comparison = Comparison(cells, fit_basis(sample), search.threshold, is_ordered=False)
        yield stack.enter_context(compared(spark, blocks.stored, comparison))


@contextmanager
def _sought(sets: Sequence[DataFrame], search: Search) -> Iterator[DataFrame]:
    spark = sets[0].sparkSession
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(one)) for one in sets]
        _refuse_lengths(opened)
        counts, dim = [one.count for one in opened], opened[0].dim
        k = -(-max(counts) // search.items_of_block(max(counts), dim))
        sample = _sample(opened[0], k, seed=search.seed)
        coarse = coarse_centroids(sample, k, seed=derived_seed(search.seed, Purpose.SEEDING))
        must_move = not search.is_exact(counts[0], counts[-1]) or rows_per_block(dim) > search.fitting_block(dim)
        has_cones = must_move or can_skip(sample, coarse, search.threshold)
        if has_cones:
            blocks = _along(opened, coarse, search, stack)
            cells = cells_among(blocks, counts, search, spark)
        else:
            blocks = _anyhow(opened, groups_of_all(counts, search, spark, dim=dim))
            cells = cells_of_all(blocks, search)
        basis = fit_basis(sample[:SAMPLED])
        comparison = Comparison(cells, basis, search.threshold, is_ordered=len(sets) > 1, has_cones=has_cones)
        yield stack.enter_context(compared(spark, _together(blocks), comparison))


def _along(opened: Sequence[SparkVectors], coarse: Floats, search: Search, stack: ExitStack) -> list[ComparedBlocks]:
    """Blocks along coarse clusters, as long as the stack is open."""
    most = search.most_of_block(max(one.count for one in opened), opened[0].dim)
    blocks: list[ComparedBlocks] = []
    for one in opened:
        offset = sum(len(before.sizes) for before in blocks)
        made = fitted_blocks(one, coarse, most=most, task_bytes=search.making_bytes, seed=search.seed, offset=offset)
        blocks.append(stack.enter_context(made))
    return blocks


def _anyhow(opened: Sequence[SparkVectors], n_blocks: Sequence[int]) -> list[ComparedBlocks]:
    """Blocks of the vectors as they lie."""
    offsets = [sum(n_blocks[:place]) for place in range(len(opened))]
    return [packed_blocks(one, n, offset=at) for one, n, at in zip(opened, n_blocks, offsets, strict=True)]


def _together(blocks: Sequence[ComparedBlocks]) -> "RDD[bytes]":
    stored = [one.stored for one in blocks]
    return stored[0] if len(stored) == 1 else stored[0].union(stored[1])


def _opened(embeddings: DataFrame) -> SparkVectors:
    try:
        return SparkVectors.from_embeddings(embeddings.where(~is_zero(Col.embedding)), spherical=True)
    except NoVectorsError as error:
        raise NoVectorsError(ZEROS_ALONE) from error


def _refuse_lengths(opened: Sequence[SparkVectors]) -> None:
    if len({one.dim for one in opened}) > 1:
        lengths = " and ".join(str(one.dim) for one in opened)
        raise InputError(f"vectors of {lengths} numbers cannot be held against each other: embed both by one encoder")


def _sample(vectors: SparkVectors, k: int, *, seed: int) -> Floats:
    n = max(SAMPLED, SAMPLED_PER_CLUSTER * k if k > 1 else 0)
    return vectors.sample(min(n, vectors.count), seed=seed)


def _sampled_rows(embeddings: DataFrame, count: int, *, seed: int) -> Floats:
    """About :data:`SAMPLED` vectors (n, d) of unit length, runs a job."""
    share = min(1.0, SAMPLED / count)
    drawn = embeddings.where(draw_of(seed, Purpose.SAMPLE, F.col(Col.item_id)) <= F.lit(draw_up_to(share)))
    rows = drawn.select(Col.item_id, Col.embedding).limit(2 * SAMPLED).toPandas().sort_values(Col.item_id)
    return unit_length(np.stack(rows[Col.embedding].to_list()))
