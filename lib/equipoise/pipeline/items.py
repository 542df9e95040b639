"""Raw items -> items with ids, each with its verdict: new, or the reason why it is not taken.

A *raw item* is what a source yields (``RAW``); its ``reason`` is set where the source could not make it out.
"""

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels.vectors import LARGEST_NORM
from equipoise.pipeline.reasons import NOT_FINITE as NOT_FINITE
from equipoise.pipeline.windows import SCHEME as WINDOW
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col

ALREADY_IN_POOL = "already_in_pool"
DUPLICATE_ID = "duplicate_id"
ID_COLLISION = "id_collision"
MISSING_ID = "missing_id"
EMPTY_VECTOR, OTHER_LENGTH = "empty_vector", "other_length"
TOO_LARGE = "too_large"
OF_VECTORS = (NOT_FINITE, EMPTY_VECTOR, OTHER_LENGTH, TOO_LARGE)
"""Reasons of vectors that cannot be used, whatever their items are."""
_KNOWN, _VECTOR = "known", "vector"
_TOLD = (Col.uri, Col.detail, Col.content, Col.embedding, Col.label)
"""What tells rows without an id apart."""

# What every source yields; a source of ready-made vectors adds their column.
RAW = t.StructType(
    [
        t.StructField(Col.key, t.StringType()),
        t.StructField(Col.given_id, t.LongType()),
        *(POOL.schema[name] for name in (Col.uri, Col.modified_at, Col.n_bytes, Col.content, Col.label)),
        POOL.schema[Col.attributes],
        t.StructField(Col.reason, t.StringType()),
        t.StructField(Col.detail, t.StringType()),
    ]
)


def with_item_id(raw_items: DataFrame, source: str, *, is_own_space: bool = False) -> DataFrame:
    """Adds ``source`` and ``item_id``: the user's BIGINT id where given, else xxhash64(source, key).

    ``is_own_space``: ids that are given are hashed with the source, too, so that those of two sources may be equal. An
    item with neither an id nor a key gets the reason ``missing_id``, and an item_id of what else is known of it.
    """
    is_nameless = F.col(Col.given_id).isNull() & F.col(Col.key).isNull()
    unnamed = is_nameless & F.col(Col.reason).isNull()
    hashed = F.xxhash64(F.lit(source), F.col(Col.key))
    named = _own_id(source) if is_own_space else F.coalesce(F.col(Col.given_id), hashed)
    told = [name for name in _TOLD if name in raw_items.columns]
    nameless = F.xxhash64(F.lit(source), *(F.coalesce(F.col(name).cast("string"), F.lit("")) for name in told))
    return raw_items.select(
        F.when(is_nameless, nameless).otherwise(named).alias(Col.item_id),
        F.lit(source).alias(Col.source),
        *_except(raw_items, Col.reason, Col.detail),
        F.when(unnamed, MISSING_ID).otherwise(F.col(Col.reason)).alias(Col.reason),
        F.coalesce(F.col(Col.detail), F.when(unnamed, "the row has no id")).alias(Col.detail),
    )


def other_ids(items: DataFrame, source: str, *, is_own_space: bool) -> DataFrame:
    """The ids (item_id) that new items whose id was given would have in the other space: see :func:`with_item_id`."""
    given = filter_new(items).where(F.col(Col.given_id).isNotNull())
    return given.select((F.col(Col.given_id) if is_own_space else _own_id(source)).alias(Col.item_id))


def with_verdict(
    items: DataFrame, pool: DataFrame | None, *, vectors: DataFrame | None = None, takes_changed: bool = False
) -> DataFrame:
    """Fills ``reason`` (and ``detail``) of every item that is not to be taken; the new ones keep null.

    Adds ``is_changed``: the pool holds the item with another time, size or content, or ``vectors`` another vector.

    ``already_in_pool``: the pool holds it. ``duplicate_id``: the same id and key came before, in an
    order in which the partitioning has no part. ``id_collision``: another key, or another source, has the id.

    Args:
        items: of one source, with ``item_id``.
        pool: the table, without contents. None where there is none yet.
        vectors: of the items that the pool holds: item_id, embedding.
        takes_changed: whether changed items are to be taken anew.
    """
    own = _with_own_verdict(items)
    if pool is None:
        return own.select("*", F.lit(False).alias(Col.is_changed))
    return _with_pool_verdict(own, pool, vectors, takes_changed=takes_changed)


def filter_new(items: DataFrame) -> DataFrame:
    """Drops the items that have a reason not to be taken."""
    return items.where(F.col(Col.reason).isNull())


def filter_without(items: DataFrame, done: DataFrame) -> DataFrame:
    """Drops the items whose item_id is in ``done``."""
    return items.join(done.select(Col.item_id), on=Col.item_id, how="left_anti")


def rejects(items: DataFrame, *, run_id: str, stage: str) -> DataFrame:
    """Rows of the table ``rejects``: the items with a reason, but for those that the pool already holds."""
    refused = items.where(_is_refused())
    columns = {Col.run_id: F.lit(run_id), Col.stage: F.lit(stage), **{name: F.col(name) for name in items.columns}}
    return refused.select(*(columns.get(name, F.lit(None).cast("string")).alias(name) for name in REJECTS.columns))


def pool_rows(items: DataFrame) -> DataFrame:
    """Rows of the table ``pool``: the new items. Columns that the items do not have are null."""
    return filter_new(items).select(
        *(
            (F.col(field.name) if field.name in items.columns else F.lit(None)).cast(field.dataType).alias(field.name)
            for field in POOL.schema
        )
    )


def embedding_rows(items: DataFrame, encoder_id: str, source: str) -> DataFrame:
    """Rows of the table ``embeddings``: the vectors of the items that the pool takes or has."""
    columns = {Col.encoder_id: F.lit(encoder_id), Col.source: F.lit(source)}
    in_pool = items.where(~_is_refused())
    return in_pool.select(*(columns.get(name, F.col(name)).alias(name) for name in EMBEDDINGS.columns))


def with_usable_vectors(raw_items: DataFrame, *, length: int | None = None) -> DataFrame:
    """Gives items whose ``embedding`` cannot be clustered a reason, unless they have one.

    ``not_finite``: it is null or holds NaN, infinity or null; ``empty_vector``; ``too_large``: a number is beyond
    :func:`equipoise.kernels.vectors.largest_value`; ``other_length``: than ``length``, where that is given.
    """
    vector = F.col(Col.embedding)
    size = F.size(vector)
    # array_contains is true where the value is found, and null where it is not but a null is: refused too.
    found = [F.array_contains(vector, F.lit(value).cast("float")) for value in ("NaN", "Infinity", "-Infinity")]
    largest = F.greatest(F.array_max(vector), -F.array_min(vector))
    verdicts = [
        (vector.isNull(), NOT_FINITE, F.lit("the vector is null")),
        (size == 0, EMPTY_VECTOR, F.lit("the vector has no numbers")),
        (
            F.coalesce(found[0] | found[1] | found[2], F.lit(True)),
            NOT_FINITE,
            F.lit("the vector holds NaN, infinity or null"),
        ),
        (size != length, OTHER_LENGTH, F.format_string(f"the vector has %d numbers, most have {length}", size)),
        (
            largest > F.lit(LARGEST_NORM) / F.sqrt(size),
            TOO_LARGE,
            F.format_string("the vector holds %s, too large to square in float32", largest.cast("string")),
        ),
    ]
    reason, detail = F.col(Col.reason), F.col(Col.detail)
    reasons, details = F.when(reason.isNotNull(), reason), F.when(reason.isNotNull(), detail)
    for is_bad, name, what in verdicts:
        reasons, details = reasons.when(is_bad, name), details.when(is_bad, what)
    return raw_items.select(
        *_except(raw_items, Col.reason, Col.detail), reasons.alias(Col.reason), details.alias(Col.detail)
    )


def vector_lengths(items: DataFrame) -> DataFrame:
    """One row a length of the vectors that are there: (length, number of items), the commonest first."""
    vector = F.col(Col.embedding)
    length = F.size(vector).alias(Col.value)
    counted = items.where(vector.isNotNull()).groupBy(length).agg(F.count(F.lit(1)).alias(Col.n_items))
    return counted.select(Col.value, Col.n_items).orderBy(F.desc(Col.n_items), Col.value)


def verdict_counts(items: DataFrame) -> DataFrame:
    """One row a reason, null for the items that are taken, with all that is asked of them in one pass.

    ``n_items``; ``shortest`` and ``longest`` vector, null where there are none; ``n_clashes``, the ids that were given
    and are another source's, and one of them as ``given_id``; ``n_changed`` since the pool took them.
    """
    size = F.size(Col.embedding) if Col.embedding in items.columns else F.lit(None).cast("int")
    given = F.col(Col.given_id) if Col.given_id in items.columns else F.lit(None).cast("bigint")
    clash = F.when(F.col(Col.reason) == ID_COLLISION, given)
    changed = F.col(Col.is_changed) if Col.is_changed in items.columns else F.lit(False)
    present = F.when(size > 0, size)  # of null it is -1, or null where Spark is told so
    return items.groupBy(Col.reason).agg(
        F.count(F.lit(1)).alias(Col.n_items),
        F.min(present).alias(Col.shortest),
        F.max(present).alias(Col.longest),
        F.count(clash).alias(Col.n_clashes),
        F.min(clash).alias(Col.given_id),
        F.count(F.when(changed, 1)).alias(Col.n_changed),
    )


def _own_id(source: str) -> Column:
    return F.xxhash64(F.lit(source), F.coalesce(F.col(Col.key), F.col(Col.given_id).cast("string")))


def _is_refused() -> Column:
    """Whether the pool neither takes the item nor has it."""
    return F.col(Col.reason).isNotNull() & (F.col(Col.reason) != ALREADY_IN_POOL)


def _with_own_verdict(items: DataFrame) -> DataFrame:
    broken = F.col(Col.reason).isNotNull()
    # The whole row decides about the order, so equal ids fall out alike on every cluster.
    contents = [name for name in (Col.content, Col.embedding) if name in items.columns]
    order = [F.col(Col.key), F.col(Col.uri), F.xxhash64(*contents), F.col(Col.label), F.col(Col.modified_at)]
    same_id = Window.partitionBy(Col.item_id, broken).orderBy(*order)
    place, first_key = F.row_number().over(same_id), F.first(Col.key).over(same_id)
    later = ~broken & (place > 1)
    same_key = first_key.eqNullSafe(F.col(Col.key))
    reason = F.when(later & same_key, DUPLICATE_ID).when(later, ID_COLLISION).otherwise(F.col(Col.reason))
    detail = F.when(later, F.concat(F.lit("kept: the item of this id with the key "), first_key))
    return items.select(
        *_except(items, Col.reason, Col.detail),
        reason.alias(Col.reason),
        F.coalesce(F.col(Col.detail), detail).alias(Col.detail),
    )


def _with_pool_verdict(
    items: DataFrame, pool: DataFrame, vectors: DataFrame | None, *, takes_changed: bool
) -> DataFrame:
    known = F.col(_KNOWN)
    facts = F.struct(Col.source, Col.uri, Col.modified_at, Col.n_bytes, Col.content_hash)
    joined = items.join(pool.select(Col.item_id, facts.alias(_KNOWN)), on=Col.item_id, how="left")
    differences = [
        (F.col(Col.modified_at), known[Col.modified_at]),
        (F.col(Col.n_bytes), known[Col.n_bytes]),
        (F.sha2(F.col(Col.content).cast("binary"), 256), known[Col.content_hash]),
        (F.when(F.col(Col.uri).startswith(f"{WINDOW}:"), F.col(Col.uri)), known[Col.uri]),  # it holds the scale
    ]
    if vectors is not None:
        hashed = vectors.select(Col.item_id, F.xxhash64(Col.embedding).alias(_VECTOR))
        joined = joined.join(hashed, on=Col.item_id, how="left")
        differences.append((F.xxhash64(Col.embedding), F.col(_VECTOR)))
    # Only a uri that is the key tells items of one source apart: an item with an id may have moved.
    other_file = F.col(Col.key).eqNullSafe(F.col(Col.uri)) & ~known[Col.uri].eqNullSafe(F.col(Col.uri))
    other = (known[Col.source] != F.col(Col.source)) | other_file
    origin = F.concat_ws(" ", F.lit("in the pool since before, from"), known[Col.source], known[Col.uri])
    is_another = reduce(or_, [F.coalesce(now != before, F.lit(False)) for now, before in differences])
    is_changed = F.col(Col.reason).isNull() & known.isNotNull() & ~other & is_another
    is_there = known.isNotNull() & ~(F.lit(takes_changed) & is_changed)
    reason = F.when(known.isNotNull() & other, ID_COLLISION).when(is_there, ALREADY_IN_POOL)
    return joined.select(
        *_except(items, Col.reason, Col.detail),
        F.coalesce(F.col(Col.reason), reason).alias(Col.reason),
        F.when(F.col(Col.reason).isNull() & reason.isNotNull(), origin).otherwise(F.col(Col.detail)).alias(Col.detail),
        F.coalesce(is_changed, F.lit(False)).alias(Col.is_changed),
    )


def _except(rows: DataFrame, *names: str) -> list[Column]:
    return [F.col(name) for name in rows.columns if name not in names]
