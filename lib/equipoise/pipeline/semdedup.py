"""The rules of SemDeDup on pairs inside clusters: one round, from edges and assignments to rows of ``duplicates``."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.components import Components
from equipoise.pipeline.duplicates import rerooted, rows_of
from equipoise.pipeline.keeping import PREFERENCE
from equipoise.pipeline.quotas import draw_of
from equipoise.schemas import Col

SEMDEDUP = "semdedup"
DESCENDING, ASCENDING, RANDOM = "descending", "ascending", "random"
ORDERS = (DESCENDING, ASCENDING, RANDOM)
_PLACE, _EARLIER, _IS_STAYING, _BEST = "place", "earlier", "is_staying", "best"
_OF_SRC, _OF_DST = "of_src", "of_dst"


def filter_inside_clusters(edges: DataFrame, assignments: DataFrame) -> DataFrame:
    """Keep the edges (src, dst, similarity) whose ends are in one cluster of ``assignments`` (item_id, cluster_id)."""
    both = _with_ends(edges, assignments.select(Col.item_id, F.col(Col.cluster_id).alias(_PLACE)))
    return both.where(F.col(_OF_SRC) == F.col(_OF_DST)).select(Col.src, Col.dst, Col.similarity)


def grouped(edges: DataFrame, assignments: DataFrame, *, components: Components, method: str = SEMDEDUP) -> DataFrame:
    """Keep of every group the item that is least similar to its cluster's centroid. Runs the jobs of ``components``.

    Args:
        edges: src, dst BIGINT, similarity FLOAT: pairs above the threshold (.8), both in one cluster.
        assignments: item_id BIGINT, distance_sq FLOAT: squared Euclidean, of a vector of unit length to its cluster's
            centroid: inside one cluster the farthest is the one with the lowest cosine, whatever the centroid's length.
        components: :func:`equipoise.pipeline.components.connected_components`, with all but the edges given.
        method: of all rows.

    Returns:
        :data:`equipoise.pipeline.duplicates.ROWS`; of items that are equally far the lowest id stays.

    Source: "Less is More?" (2025); the same as SemDeDup (2303.09540), section 3: "from each group of semantic
    duplicates within a cluster, we keep the image with the lowest cosine similarity to the cluster centroid".
    """
    facts = assignments.select(Col.item_id, F.struct(Col.distance_sq).alias(PREFERENCE))
    members = components(edges).join(facts, Col.item_id, "left")
    return rows_of(members.select(Col.item_id, Col.component_id, PREFERENCE), edges, method=method)


def ranked(
    edges: DataFrame,
    assignments: DataFrame,
    *,
    components: Components,
    order: str = DESCENDING,
    seed: int = 0,
    method: str = SEMDEDUP,
) -> DataFrame:
    """Drop every item that is similar to one ranked before it. Runs the jobs of ``components``.

    That one counts even if it is itself dropped: of a chain whose rank rises only the first item stays, of one whose
    middle item comes last both ends. So it is in the paper's pseudo-code (2303.09540, appendix) and in the published
    repository, which takes the largest similarity to an earlier item, dropped or not. The prose of the paper's
    section 3 differs from both, as issue 8 of the repository (facebookresearch/SemDeDup) points out: one item of each
    group stays. :func:`grouped` does what the prose says; where groups are cliques both come to the same.

    Args:
        edges: src, dst BIGINT, similarity FLOAT: pairs above 1 - eps, both in one cluster.
        assignments: item_id BIGINT, distance_sq FLOAT, as for :func:`grouped`; an item is in one cluster.
        components: as for :func:`grouped`.
        order: ``descending``: the farthest from the centroid come first, and stay; ``ascending``: the closest; or
            ``random``, by draws. Ties come by the lowest id.
        seed: of the draws.
        method: of all rows.

    Returns:
        :data:`equipoise.pipeline.duplicates.ROWS`. An item is dropped for the most similar of those before it, of which
        those that stay go first, and its similarity is that to this one. kept_id is where that ends: itself, where it
        stays. Items that lead to one are a component.

    Raises:
        ConfigError: there is no such order.
    """
    links = ranked_links(edges, assignments, order=order, seed=seed)
    return rerooted(links.withColumn(Col.method, F.lit(method)), components=components)


def ranked_links(edges: DataFrame, assignments: DataFrame, *, order: str, seed: int) -> DataFrame:
    """Find what :func:`ranked` drops, and for which item each: item_id, kept_id, similarity. Lazy.

    Raises:
        ConfigError: there is no such order.
    """
    if order not in ORDERS:
        raise ConfigError(f"order is {order!r}; it must be one of {', '.join(ORDERS)}")
    place = {
        DESCENDING: -F.col(Col.distance_sq),
        ASCENDING: F.col(Col.distance_sq),
        RANDOM: draw_of(seed, Purpose.SEMDEDUP, F.col(Col.item_id)),
    }[order]
    places = assignments.select(Col.item_id, F.struct(place.alias(_PLACE), F.col(Col.item_id)).alias(_PLACE))
    both = _with_ends(edges.where(F.col(Col.src) != F.col(Col.dst)), places)
    is_src_first = F.col(_OF_SRC) < F.col(_OF_DST)
    pairs = both.select(
        F.when(is_src_first, F.col(Col.dst)).otherwise(F.col(Col.src)).alias(Col.item_id),
        F.when(is_src_first, F.col(Col.src)).otherwise(F.col(Col.dst)).alias(_EARLIER),
        Col.similarity,
    )
    going = pairs.select(F.col(Col.item_id).alias(_EARLIER), F.lit(False).alias(_IS_STAYING)).distinct()
    known = pairs.join(going, _EARLIER, "left")
    best = F.max(
        F.struct(
            F.coalesce(F.col(_IS_STAYING), F.lit(True)).alias(_IS_STAYING),
            F.col(Col.similarity),
            F.bitwise_not(F.col(_EARLIER)).alias(_EARLIER),
        )
    )
    links = known.groupBy(Col.item_id).agg(best.alias(_BEST))
    kept: Column = F.bitwise_not(F.col(f"{_BEST}.{_EARLIER}"))
    return links.select(Col.item_id, kept.alias(Col.kept_id), f"{_BEST}.{Col.similarity}")


def _with_ends(edges: DataFrame, places: DataFrame) -> DataFrame:
    """Edges with what ``places`` (item_id, place) has of both ends."""
    of_src = places.select(F.col(Col.item_id).alias(Col.src), F.col(_PLACE).alias(_OF_SRC))
    of_dst = places.select(F.col(Col.item_id).alias(Col.dst), F.col(_PLACE).alias(_OF_DST))
    return edges.join(of_src, Col.src, "inner").join(of_dst, Col.dst, "inner")
