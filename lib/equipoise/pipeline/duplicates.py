"""From edges between items that are alike to what stays and what goes: the rows of the table ``duplicates``.

All of it is a function of the edges and of what is known of the items: no vector is read, but for the rule
``closest_to_mean``, and then only those of items that have an edge.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.components import Components, both_ways
from equipoise.pipeline.keeping import PREFERENCE, Keep, preferred, with_preference
from equipoise.schemas import DUPLICATES, Col

COPIES = "copies"
AGAINST = "against:"
"""Begins the method of what duplicates an item of a set, whose name follows."""
ROWS = (Col.item_id, Col.component_id, Col.is_kept, Col.kept_id, Col.similarity, Col.method)
"""The table ``duplicates`` without what says whose rows they are: an item once."""
_TO_KEPT, _BEST, _OF_COMPONENT, _PLACE = "to_kept", "best", "of_component", "place"


def filter_above(edges: DataFrame, threshold: float) -> DataFrame:
    """Keep the edges whose similarity, a FLOAT, is above a threshold."""
    return edges.where(F.col(Col.similarity) > F.lit(threshold).cast("float"))


def copy_edges(items: DataFrame) -> DataFrame:
    """Join exact copies, by their contents: every item to the lowest id of those with its ``content_hash``.

    Args:
        items: item_id BIGINT, content_hash STRING; null is equal to none.

    Returns:
        src, dst BIGINT (src < dst), similarity FLOAT (1).
    """
    hashed = items.where(F.col(Col.content_hash).isNotNull()).select(Col.item_id, Col.content_hash)
    groups = hashed.groupBy(Col.content_hash).agg(F.min(Col.item_id).alias(Col.src), F.count("*").alias(Col.n_items))
    several = groups.where(F.col(Col.n_items) > 1)
    copies = hashed.join(several, Col.content_hash, "inner").where(F.col(Col.item_id) != F.col(Col.src))
    return copies.select(Col.src, F.col(Col.item_id).alias(Col.dst), F.lit(1).cast("float").alias(Col.similarity))


def duplicates(
    edges: DataFrame,
    *,
    components: Components,
    keep: Keep,
    items: DataFrame | None = None,
    vectors: DataFrame | None = None,
    method: str = COPIES,
) -> DataFrame:
    """Keep one item of every connected component. Runs the jobs of ``components``.

    Args:
        edges: src, dst BIGINT, similarity FLOAT: those of :func:`copy_edges`, and those above the threshold.
        components: :func:`equipoise.pipeline.components.connected_components`, with all but the edges given.
        keep: which item stays.
        items, vectors: what that looks at, as :func:`equipoise.pipeline.keeping.with_preference` has it.
        method: of all rows.

    Returns:
        :data:`ROWS`. An item that stays has itself as kept_id and no similarity. Of one that goes the similarity is
        that to the kept item where there is an edge between them, else the largest of its edges: that to the item
        which joins it to the component most closely.

    Source: DINOv2 (2304.07193), section 3 and appendix A: components of copies, of each of which one item stays.
    """
    members = components(edges)
    return rows_of(with_preference(members, keep, items=items, vectors=vectors), edges, method=method)


def rows_of(preferences: DataFrame, edges: DataFrame, *, method: str) -> DataFrame:
    """Turn the members of components (item_id, component_id, preference) and their edges into :data:`ROWS`. Lazy."""
    kept = preferences.groupBy(Col.component_id).agg(preferred(F.col(PREFERENCE)).alias(Col.kept_id))
    members = preferences.select(Col.item_id, Col.component_id).join(kept, Col.component_id, "inner")
    touching = both_ways(edges, Col.similarity).withColumnRenamed(Col.src, Col.item_id)
    touched = touching.join(members, Col.item_id, "inner").where(F.col(Col.item_id) != F.col(Col.dst))
    closest = F.max(F.struct((F.col(Col.dst) == F.col(Col.kept_id)).alias(_TO_KEPT), F.col(Col.similarity)))
    similarities = touched.groupBy(Col.item_id).agg(closest.alias(_BEST))
    is_kept = F.col(Col.item_id) == F.col(Col.kept_id)
    similarity = F.when(~is_kept, F.col(f"{_BEST}.{Col.similarity}"))
    rows = members.join(similarities, Col.item_id, "left")
    return _rows(rows, is_kept=is_kept, similarity=similarity, method=F.lit(method))


def rerooted(dropped: DataFrame, *, components: Components) -> DataFrame:
    """Lead items that went, each for another that may have gone later, to the one that stayed. Runs jobs.

    Args:
        dropped: item_id, kept_id BIGINT, similarity FLOAT, method STRING: every item once, and no circles.
        components: as for :func:`duplicates`.

    Returns:
        :data:`ROWS`: the trees that these links make, each with its root as the item that is kept; similarity and
        method are those of the item's own link, of a kept one the method is the greatest of its tree.
    """
    members = components(dropped.select(F.col(Col.item_id).alias(Col.src), F.col(Col.kept_id).alias(Col.dst)))
    links = dropped.select(Col.item_id, Col.similarity, Col.method)
    linked = members.join(links, Col.item_id, "left")
    root = F.max(F.when(F.col(Col.method).isNull(), F.col(Col.item_id)))  # one a tree
    trees = linked.groupBy(Col.component_id).agg(root.alias(Col.kept_id), F.max(Col.method).alias(_OF_COMPONENT))
    rows = linked.join(trees, Col.component_id, "inner")
    is_kept = F.col(Col.item_id) == F.col(Col.kept_id)
    method = F.coalesce(Col.method, _OF_COMPONENT)
    return _rows(rows, is_kept=is_kept, similarity=F.col(Col.similarity), method=method)


def against_sets(duplicates: DataFrame, edges: DataFrame) -> DataFrame:
    """Drop every component that holds an item with an edge to an evaluation set, whole; after :func:`duplicates`.

    Args:
        duplicates: :data:`ROWS` of the pool; an item without a row is a component of its own.
        edges: src BIGINT (an item of the pool), dst BIGINT (one of a set), similarity FLOAT, source STRING (the set),
            above the sets' own threshold.

    Returns:
        :data:`ROWS`: the components that no set touches as they were. Of the others nothing is kept: kept_id is the
        evaluation item that the item is most similar to, the similarity that to it; where the item itself has no edge
        to one, the evaluation item that its component is most similar to, and the similarity that it had in the pool
        (null for the one that was kept). The method is "against:" and the set of that item. Ties go to the lowest id.

    Source: DINOv2 (2304.07193), appendix A: .45, and all of the component goes.
    """
    place = F.struct(F.col(Col.similarity), F.bitwise_not(F.col(Col.dst)).alias(_PLACE), F.col(Col.source))
    own = edges.groupBy(F.col(Col.src).alias(Col.item_id)).agg(F.max(place).alias(_BEST))
    met = duplicates.join(own, Col.item_id, "full")
    met = met.withColumn(Col.component_id, F.coalesce(Col.component_id, Col.item_id))
    touched = (
        own.join(duplicates.select(Col.item_id, Col.component_id), Col.item_id, "left")
        .groupBy(F.coalesce(Col.component_id, Col.item_id).alias(Col.component_id))
        .agg(F.max(_BEST).alias(_OF_COMPONENT))
    )
    met = met.join(touched, Col.component_id, "left")
    is_touched = F.col(_OF_COMPONENT).isNotNull()
    nearest = F.coalesce(_BEST, _OF_COMPONENT)
    duplicated = F.bitwise_not(nearest.getField(_PLACE))
    named = F.concat(F.lit(AGAINST), nearest.getField(Col.source))
    rows = met.withColumn(Col.kept_id, F.when(is_touched, duplicated).otherwise(F.col(Col.kept_id)))
    return _rows(
        rows,
        is_kept=F.when(is_touched, F.lit(False)).otherwise(F.col(Col.is_kept)),
        similarity=F.coalesce(F.col(f"{_BEST}.{Col.similarity}"), F.col(Col.similarity)),
        method=F.when(is_touched, named).otherwise(F.col(Col.method)),
    )


def dropped_counts(duplicates: DataFrame) -> DataFrame:
    """Count what goes by method, so that sets come by their names: method, n_items, n_groups (components) BIGINT."""
    groups = F.countDistinct(Col.component_id).alias(Col.n_groups)
    dropped = duplicates.where(~F.col(Col.is_kept))
    return dropped.groupBy(Col.method).agg(F.count("*").alias(Col.n_items), groups)


def _rows(rows: DataFrame, *, is_kept: Column, similarity: Column, method: Column) -> DataFrame:
    columns = {
        **{name: F.col(name) for name in (Col.item_id, Col.component_id, Col.kept_id)},
        Col.is_kept: is_kept,
        Col.similarity: similarity,
        Col.method: method,
    }
    return rows.select(*(columns[name].cast(DUPLICATES.types[name]).alias(name) for name in ROWS))
