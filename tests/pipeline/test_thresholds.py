"""What thresholds would remove: as much as the rules do."""

from functools import partial

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import duplicates, filter_above
from equipoise.pipeline.keeping import Keep
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.thresholds import shares_removed, threshold_leaving

COMPONENTS = partial(connected_components, checkpoint=cut_plan)


def test_a_threshold_removes_what_its_share_says(spark):
    drawn = [(1, 2, 0.9), (2, 1, 0.9), (2, 3, 0.8), (1, 3, 0.7), (4, 5, 0.7), (6, 6, 1.0)]
    edges = spark.createDataFrame(drawn, "src long, dst long, similarity float")
    assert shares_removed(edges, [0.65, 0.7, 0.85, 0.9], n_items=10) == [0.3, 0.2, 0.1, 0.0]
    rows = duplicates(filter_above(edges, 0.65), components=COMPONENTS, keep=Keep("lowest_id"))
    assert rows.where("not is_kept").count() == 3


@pytest.mark.parametrize("n_keep", [400, 401, 520, 689, 690])
def test_copies_that_are_all_but_equal_are_told_apart_and_equal_contents_go_anyhow(spark, n_keep):
    """290 pairs between .9998 and 1, and 10 of equal contents, of 700 items."""
    similarities = np.random.default_rng(0).permutation(np.linspace(0.9998, 0.99999, 290)).astype(np.float32)
    every = [*similarities.tolist(), *[float("inf")] * 10]
    rows = [(2 * place, 2 * place + 1, similarity) for place, similarity in enumerate(every)]
    edges = spark.createDataFrame(rows, "src long, dst long, similarity float")
    threshold = threshold_leaving(edges, n_keep, n_items=700, lowest=0.6)
    assert 0.6 <= threshold <= 1 and 700 - filter_above(edges, threshold).count() == n_keep


@pytest.mark.parametrize("n_keep, way_out", [(399, "lower the threshold"), (691, "see exact_copies: equal contents")])
def test_what_no_threshold_leaves_is_refused(spark, n_keep, way_out):
    rows = [(2 * place, 2 * place + 1, 0.7 if place < 290 else float("inf")) for place in range(300)]
    edges = spark.createDataFrame(rows, "src long, dst long, similarity float")
    with pytest.raises(ConfigError) as raised:
        threshold_leaving(edges, n_keep, n_items=700, lowest=0.6)
    said = f"target_keep is {n_keep}, and thresholds from 0.6 to 1 leave 400 to 690 of 700 items: change it, or "
    assert str(raised.value).startswith(said + way_out)


def test_more_pairs_than_the_driver_takes_are_refused(spark):
    edges = spark.createDataFrame([(1, 2, 0.9), (2, 3, 0.8)], "src long, dst long, similarity float")
    with pytest.raises(InputError) as raised:
        shares_removed(edges, [0.7], n_items=3, most_edges=1)
    assert str(raised.value) == (
        "2 pairs lie above the lowest threshold, the driver takes 1: "
        "calibrate on a smaller share of the items, or from a higher threshold"
    )
