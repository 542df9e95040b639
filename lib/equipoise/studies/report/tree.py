"""The part of a run's cluster tree that a report shows, with a few items of each cluster."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.evaluation.tree import largest_children, most_shrunk
from equipoise.pipeline.examples import EXAMPLES, examples, members_of, previews
from equipoise.pipeline.frames import persisted
from equipoise.report.content import Tree
from equipoise.report.items import Item
from equipoise.report.thumbnails import preview, snippet
from equipoise.report.tree import Examples, cluster_tree
from equipoise.runs.tables import RunTables
from equipoise.schemas import POOL_NAME, Col

MOST_TOP = 50
MOST_SHRUNK = 25
MOST_CHILDREN = 20
MOST_LOWEST = 600  # clusters of level 1 on the page
MOST_ITEMS = 3600
MOST_PREVIEW_BYTES = 5_000_000  # of all thumbnails: two thirds of the page, once they are base64
LARGEST_PREVIEW = 4096
NAME_LENGTH = 80  # of labels and uris, which stand beside every item
_READ_AT_ONCE = 100  # items that one task reads


def shown_rows(sizes: DataFrame, top: pd.DataFrame, *, levels: int, selection: str | None) -> dict[int, pd.DataFrame]:
    """The clusters on the page by level: on top the largest and those that shrank the most, then the largest children.

    Args:
        sizes: what :func:`equipoise.evaluation.clusters.cluster_sizes` returned.
        top: the largest of the top level, as :func:`equipoise.evaluation.clusters.shrunk` has them.
        levels: height of the tree.
        selection: the one in which clusters shrank; None where there is none.
    """
    rows = {levels: top}
    if selection is not None:
        # at most so many rows a selection
        most = most_shrunk(sizes, level=levels, selection=selection, n=MOST_SHRUNK).toPandas()
        rows[levels] = with_shrunk(top, most)
    for level in range(levels - 1, 0, -1):
        parents = [int(one) for one in rows[level + 1][Col.cluster_id].unique()]
        n = children_a_parent(len(parents), levels_below=level)
        # at most so many rows a selection as clusters are shown
        rows[level] = largest_children(sizes, parents, level=level, n=n).toPandas()
    return rows


def with_shrunk(largest: pd.DataFrame, most_shrunk: pd.DataFrame) -> pd.DataFrame:
    """Both in one frame, each cluster once; those that are not among the largest come after, by size."""
    more = most_shrunk[~most_shrunk[Col.cluster_id].isin(largest[Col.cluster_id])]
    by_size = more.sort_values([Col.n_pool, Col.cluster_id], ascending=[False, True])
    place = pd.factorize(by_size[Col.cluster_id])[0] + len(largest[Col.cluster_id].unique()) + 1
    return pd.concat([largest, by_size.assign(**{Col.rank: place})])


def children_a_parent(n_parents: int, *, levels_below: int) -> int:
    """How many children each is shown with, so that level 1 stays within its bound: at least two."""
    return max(2, min(MOST_CHILDREN, int((MOST_LOWEST / max(n_parents, 1)) ** (1 / levels_below))))


def read_tree(
    run: RunTables,
    assignments: DataFrame,
    rows: Mapping[int, pd.DataFrame],
    *,
    histograms: pd.DataFrame,
    curated: DataFrame,
    totals: Mapping[str, int],
) -> Tree:
    """The tree of the clusters in ``rows``; items are marked by what ``curated``, rows of one selection, has of them.

    ``totals`` are the items of the pool, under that name, and of the selections that are shown.
    """
    found = _examples(run, assignments, [int(one) for one in rows[1][Col.cluster_id].unique()])
    items = read_items(run, found[Col.item_id].unique(), curated=curated)
    shown: dict[int, dict[str, list[Item]]] = defaultdict(lambda: {kind: [] for kind in EXAMPLES})
    for row in found.sort_values([Col.cluster_id, Col.rank]).to_dict("records"):
        shown[int(row[Col.cluster_id])][row[Col.example]].append(items[int(row[Col.item_id])])
    pool = histograms[histograms[Col.selection] == POOL_NAME]
    ranks = rows[max(rows)].drop_duplicates(Col.cluster_id)[Col.rank]
    selections = [name for name in totals if name != POOL_NAME]
    return Tree(
        clusters=cluster_tree(rows, _as_examples(shown), totals=totals, selections=selections),
        levels=sorted(rows, reverse=True),
        shown={level: int(clusters[Col.cluster_id].nunique()) for level, clusters in rows.items()},
        total={cast(int, level): int(clusters[Col.n_groups].sum()) for level, clusters in pool.groupby(Col.level)},
        has_contents=any(item.thumbnail or item.snippet for item in items.values()),
        n_largest=int((ranks <= MOST_TOP).sum()),
        n_shrunk=int((ranks > MOST_TOP).sum()),
    )


def read_items(run: RunTables, item_ids: Iterable[int], *, curated: DataFrame) -> dict[int, Item]:
    """What is seen of a few thousand items, and how often ``curated`` has them, by id.

    The ids are broadcast, and the executors go through six columns of the source's part of the pool to find their
    rows: nothing is shuffled but these. Where the pool has contents inline, these are read from the files with all
    others of the source (ids are hashes, so no file can be left out) and dropped at once; contents behind a uri are
    read of the items shown alone.
    """
    ids = [int(one) for one in item_ids]
    if not ids:
        return {}
    wanted = F.broadcast(run.spark.createDataFrame([(one,) for one in ids], f"{Col.item_id} bigint"))
    known = run.items().select(Col.item_id, Col.key, Col.label, Col.uri, Col.content, Col.n_bytes)
    rows = known.join(wanted, Col.item_id, "left_semi").repartition(-(-len(ids) // _READ_AT_ONCE), Col.item_id)
    most_bytes = min(LARGEST_PREVIEW, MOST_PREVIEW_BYTES // len(ids))
    seen = previews(rows, partial(preview, most_bytes=most_bytes))
    copies = curated.join(wanted, Col.item_id, "left_semi").select(Col.item_id, Col.copies)
    items = {one: Item(one) for one in ids}
    for row in seen.join(F.broadcast(copies), Col.item_id, "left").collect():  # a row an id
        items[row[Col.item_id]] = Item(
            row[Col.item_id],
            key=_cut(row[Col.key]),
            thumbnail=None if row[Col.thumbnail] is None else bytes(row[Col.thumbnail]),
            snippet=row[Col.snippet],
            label=_cut(row[Col.label]),
            uri=_cut(row[Col.uri]),
            copies=row[Col.copies] or 0,
        )
    return items


def _examples(run: RunTables, assignments: DataFrame, clusters: Sequence[int]) -> pd.DataFrame:
    n = max(2, min(8, MOST_ITEMS // (len(EXAMPLES) * max(len(clusters), 1))))
    with persisted(members_of(assignments, clusters)) as members:
        return examples(members, n=n, seed=run.seed).toPandas()  # the bound of items


def _cut(text: str | None) -> str | None:
    return None if text is None else snippet(text, NAME_LENGTH)


def _as_examples(shown: Mapping[int, Mapping[str, list[Item]]]) -> Mapping[int, Examples]:
    return dict(shown)
