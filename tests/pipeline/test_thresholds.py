"""What thresholds would remove: as much as the rules do."""

from functools import partial

import pytest

from equipoise.errors import InputError
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import duplicates, filter_above
from equipoise.pipeline.keeping import Keep
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.thresholds import shares_removed

COMPONENTS = partial(connected_components, checkpoint=cut_plan)


def test_a_threshold_removes_what_its_share_says(spark):
    drawn = [(1, 2, 0.9), (2, 1, 0.9), (2, 3, 0.8), (1, 3, 0.7), (4, 5, 0.7), (6, 6, 1.0)]
    edges = spark.createDataFrame(drawn, "src long, dst long, similarity float")
    assert shares_removed(edges, [0.65, 0.7, 0.85, 0.9], n_items=10) == [0.3, 0.2, 0.1, 0.0]
    rows = duplicates(filter_above(edges, 0.65), components=COMPONENTS, keep=Keep("lowest_id"))
    assert rows.where("not is_kept").count() == 3


def test_more_pairs_than_the_driver_takes_are_refused(spark):
    edges = spark.createDataFrame([(1, 2, 0.9), (2, 3, 0.8)], "src long, dst long, similarity float")
    with pytest.raises(InputError) as raised:
        shares_removed(edges, [0.7], n_items=3, most_edges=1)
    assert str(raised.value) == (
        "2 pairs lie above the lowest threshold, the driver takes 1: "
        "calibrate on a smaller share of the items, or from a higher threshold"
    )
