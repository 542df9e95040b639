"""What thresholds would remove of a pool, from a sample of its items: their groups, followed as far as they reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.calibration import KnownPairs, Share, items_beyond, share_removed
from equipoise.kernels.draws import Purpose, draw_up_to, draws
from equipoise.kernels.vectors import Ids
from equipoise.pipeline.blocks import is_zero
from equipoise.pipeline.components import DRIVER_EDGES
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.neighbours import neighbour_pairs_between
from equipoise.pipeline.quotas import draw_of
from equipoise.pipeline.search import Search
from equipoise.schemas import Col

ROUNDS = 5
"""Steps from a sampled item on along which its group is followed, at most."""
MOST_TIMES = 3
"""Items that are held against the pool, at most, as a multiple of the sample."""
WIDTH = 0.01
"""Of what is left open of a share, below which no more items are held against the pool."""


@dataclass(frozen=True)
class Calibration:
    """What each threshold removes, from ``n_sampled`` items of ``n_items``; ``n_searched`` were held against all."""

    shares: tuple[Share, ...]
    n_sampled: int
    n_searched: int
    n_items: int


def calibrated(
    vectors: DataFrame,
    search: Search,
    thresholds: Sequence[float],
    *,
    share: float,
    most_edges: int = DRIVER_EDGES,
) -> Calibration:
    """Estimate what thresholds would remove, where one item of a connected component stays; runs jobs, writes nothing.

    A sample of the items is held against *all* items, as what goes depends on neighbours in the whole pool, not in the
    sample. The mean of 1 / (members of its component) over the sampled items is an unbiased estimate of the share that
    stays (:func:`equipoise.kernels.calibration.share_removed`). To know the members, the neighbours that were found are
    held against all items in their turn, for at most :data:`ROUNDS` steps and :data:`MOST_TIMES` times as many items as
    were sampled; what is still open then is told by the bounds of each share.

    Args:
        vectors: item_id BIGINT (each once), embedding ARRAY<FLOAT>: of the whole pool.
        search: from which cosine on, and how; its seed draws the sample.
        thresholds: none below that of ``search``.
        share: of the items, 0 to 1, of the sample. A larger one holds all of a smaller one.
        most_edges: pairs that the driver takes.

    Raises:
        ConfigError: the sample would be empty.
        InputError: there are more pairs, or vectors of different lengths.
    """
    is_drawn = draw_of(search.seed, Purpose.CALIBRATION, F.col(Col.item_id)) <= F.lit(draw_up_to(share))
    n_items = vectors.count()
    drawn = vectors.where(is_drawn).select(Col.item_id, is_zero(Col.embedding).alias(_IS_ZERO)).toPandas()
    sampled, zeros = drawn[Col.item_id].to_numpy(np.int64), drawn[_IS_ZERO].to_numpy(bool)
    if not len(sampled):
        raise ConfigError(f"a share of {share:g} draws none of the {n_items:,} items: give a larger one")
    known = KnownPairs(*_NO_PAIRS, searched=sampled[zeros], sampled=np.sort(sampled))
    asked, shares = np.sort(sampled[~zeros]), [share_removed(known, threshold, share=share) for threshold in thresholds]
    for _ in range(ROUNDS):
        if not len(asked):
            break
        known = _with_pairs_of(known, asked, vectors, search, most_edges=most_edges)
        shares = [share_removed(known, threshold, share=share) for threshold in thresholds]
        beyond = items_beyond(known, [one.threshold for one in shares if one.high - one.low > WIDTH])
        asked = _first(beyond, MOST_TIMES * len(sampled) - len(known.searched), seed=search.seed)
    return Calibration(tuple(shares), len(sampled), len(known.searched), n_items)


def _first(item_ids: Ids, n: int, *, seed: int) -> Ids:
    """As many of the items, whichever draws choose."""
    order = np.argsort(draws(seed, Purpose.CALIBRATION, item_ids), kind="stable")
    return np.sort(item_ids[order[: max(n, 0)]])


def _with_pairs_of(
    known: KnownPairs, item_ids: Ids, vectors: DataFrame, search: Search, *, most_edges: int
) -> KnownPairs:
    """Also all pairs of these items."""
    asked = vectors.sparkSession.createDataFrame(pd.DataFrame({Col.item_id: item_ids}), f"{Col.item_id} bigint")
    own = vectors.join(asked, Col.item_id, "left_semi")
    with neighbour_pairs_between(own, vectors, search) as pairs, persisted(pairs) as found:
        others = found.where(F.col(Col.src) != F.col(Col.dst)).select(Col.src, Col.dst, Col.similarity)
        n_edges = others.count() + len(known.src)
        if n_edges > most_edges:
            raise InputError(
                f"{n_edges:,} pairs lie above a cosine of {search.threshold:g}, the driver takes {most_edges:,}: "
                "calibrate on a smaller share of the items, or from a higher threshold"
            )
        new = others.toPandas()  # within the limit
    return replace(
        known,
        src=np.concatenate([known.src, new[Col.src].to_numpy(np.int64)]),
        dst=np.concatenate([known.dst, new[Col.dst].to_numpy(np.int64)]),
        similarity=np.concatenate([known.similarity, new[Col.similarity].to_numpy(np.float32)]),
        searched=np.union1d(known.searched, item_ids),
    )


_IS_ZERO = "is_zero"
_NO_PAIRS = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
