"""What thresholds would remove: as much as the rules do."""

from functools import partial

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.pipeline import thresholds
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import filter_above
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.thresholds import threshold_leaving

COMPONENTS = partial(connected_components, checkpoint=cut_plan)


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


def test_more_pairs_than_the_driver_takes_are_refused(spark, monkeypatch):
    monkeypatch.setattr(thresholds, "DRIVER_EDGES", 1)
    edges = spark.createDataFrame([(1, 2, 0.9), (2, 3, 0.8)], "src long, dst long, similarity float")
    with pytest.raises(InputError) as raised:
        threshold_leaving(edges, 1, n_items=3, lowest=0.6)
    assert str(raised.value) == (
        "target_keep: 2 pairs lie above the lowest threshold, and the driver takes 1: "
        "raise the threshold, from which on it looks, or set it in the place of target_keep"
    )
