"""What is made of pairs of neighbours: the nearest of every item, and which share of all pairs was found."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.kernels.bounds import Basis, project
from equipoise.kernels.draws import Purpose
from equipoise.kernels.nearest import Floats
from equipoise.kernels.pairs import pairs_above
from equipoise.kernels.vectors import Ids, unit_length
from equipoise.pipeline.blocks import is_zero
from equipoise.pipeline.comparing import PAIRS
from equipoise.pipeline.components import WAYS
from equipoise.pipeline.quotas import draw_of, ranked_by
from equipoise.pipeline.search import Search
from equipoise.pipeline.workers import settle
from equipoise.schemas import Col

NEAREST = 64
"""Neighbours of an image that DINOv2 looks at."""
RECALL_ITEMS = 1000
_ITEM, _OTHER, _FOUND = "item", "other", "found"


@dataclass(frozen=True)
class Recall:
    """Of ``n_items`` sampled items all ``n_pairs`` pairs above the threshold, and how many of them were found."""

    n_items: int
    n_pairs: int
    n_found: int

    @property
    def share(self) -> float:
        """Found over all; 1 where there are none."""
        return self.n_found / self.n_pairs if self.n_pairs else 1.0


def nearest_pairs(pairs: DataFrame, k: int = NEAREST) -> DataFrame:
    """The pairs among the ``k`` most similar of one of their two items, at least; ties go to the lower id.

    Args:
        pairs: src, dst BIGINT, similarity FLOAT, each pair once; of one set of items, or of two with no id in common.
        k: neighbours of an item, at most.

    Returns:
        The same columns; an item may be in more than k pairs, as a neighbour of others.
    """
    there, back = ((F.col(one).alias(_ITEM), F.col(other).alias(_OTHER)) for one, other in WAYS)
    ends = pairs.select(*PAIRS.names, F.inline(F.array(F.struct(*there), F.struct(*back))))
    rank = F.row_number().over(ranked_by(F.desc(Col.similarity), _OTHER, _ITEM))
    kept = ends.withColumn(Col.rank, rank).where(F.col(Col.rank) <= k)
    return kept.groupBy(Col.src, Col.dst).agg(F.max(Col.similarity).alias(Col.similarity)).select(*PAIRS.names)


def recall_on_sample(
    embeddings: DataFrame,
    pairs: DataFrame,
    search: Search,
    *,
    others: DataFrame | None = None,
    n_items: int = RECALL_ITEMS,
) -> Recall:
    """Hold a sample of items against all, one by one, and look which of their pairs were found; runs jobs.

    Args:
        embeddings: item_id BIGINT, embedding ARRAY<FLOAT>: what the pairs were sought in.
        pairs: src, dst BIGINT, similarity FLOAT: what was found.
        search: what was sought; its seed draws the sample.
        others: where two sets were held against each other, the second.
        n_items: of the sample, which the driver gets.

    Raises:
        InputError: there are no vectors but zeros.
    """
    drawn = embeddings.where(~is_zero(Col.embedding)).orderBy(
        draw_of(search.seed, Purpose.EVALUATION, F.col(Col.item_id)), Col.item_id
    )
    sample = drawn.select(Col.item_id, Col.embedding).limit(n_items).toPandas()
    if sample.empty:
        raise InputError("there are no vectors but zeros to measure the recall on: check the embeddings")
    known = embeddings if others is None else others
    every = _all_pairs(sample[Col.item_id].to_numpy(), np.stack(sample[Col.embedding].to_list()), known, search)
    if others is None:  # a pair of two sampled items was seen from either side
        low, high = F.least(Col.src, Col.dst), F.greatest(Col.src, Col.dst)
        every = every.where(low < high).select(low.alias(Col.src), high.alias(Col.dst)).distinct()
    found = pairs.select(Col.src, Col.dst, F.lit(1).alias(_FOUND))
    joined = every.join(found, [Col.src, Col.dst], "left").agg(F.count("*"), F.count(_FOUND))
    return Recall(len(sample), *joined.collect()[0])  # one row


def _all_pairs(item_ids: Ids, vectors: Floats, known: DataFrame, search: Search) -> DataFrame:
    """All pairs above the threshold of sampled vectors (n, d) and ``known``, by plain products."""
    sampled, dim, threshold = unit_length(vectors), vectors.shape[1], search.threshold
    plain = Basis(np.empty((dim, 0), dtype=np.float32), ())

    def above(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        settle()
        queries = project(sampled, plain)
        for batch in batches:
            others = batch.column(1).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
            own = batch.column(0).to_numpy()
            for rows, columns, similarities in pairs_above(queries, project(unit_length(others), plain), threshold):
                found = [pa.array(column) for column in (item_ids[rows], own[columns], similarities)]
                yield pa.RecordBatch.from_arrays(found, PAIRS.names)

    return known.select(Col.item_id, Col.embedding).mapInArrow(above, PAIRS)
