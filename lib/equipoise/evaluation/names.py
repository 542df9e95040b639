"""The measures of the table ``metrics``: one name each, in SQL as it is, elsewhere in words.

Whoever shows a measure calls it by :func:`in_words`; what it says is in :data:`MEANINGS`, once.
"""

from collections.abc import Mapping

from equipoise.schemas import Col

N_ITEMS, N_GROUPS, N_CLUSTERS = Col.n_items, Col.n_groups, Col.n_clusters
N_PRESENT, COVERAGE = "n_present", "coverage"
NORMALISED_ENTROPY, EFFECTIVE_NUMBER, GINI = "normalised_entropy", "effective_number", "gini"
MAX_OVER_MEDIAN, TOP_SHARE, IMBALANCE = "max_over_median", "top_share", "imbalance"
LARGEST_SHARE, LARGEST_SHARE_POOL = "largest_share", "largest_share_pool"
N_SHRUNK, SHRUNK_SHARE, SHRUNK_SHARE_POOL = "n_shrunk", "shrunk_share", "shrunk_share_pool"
CLUSTER_SHARE, CLUSTER_SHARE_RATIO = "cluster_share", "cluster_share_ratio"
SELECTION_RATE, SELECTION_RATE_GAP = "selection_rate", "selection_rate_gap"
MEAN_CLUSTER_SIZE = "mean_cluster_size"
CLUSTERS_SLOPE, CLUSTERS_INTERCEPT, CLUSTERS_R2 = "clusters_slope", "clusters_intercept", "clusters_r2"
CLUSTERS_EXPONENT, CLUSTERS_EXPONENT_R2 = "clusters_exponent", "clusters_exponent_r2"
STORED_ABOVE, THRESHOLD, PAIR_RECALL = "stored_above", "threshold", "pair_recall"
N_PAIRS, N_DROPPED, N_REMAINING = "n_pairs", Col.n_dropped, "n_remaining"

BALANCE = (
    N_PRESENT, COVERAGE, NORMALISED_ENTROPY, EFFECTIVE_NUMBER, GINI, MAX_OVER_MEDIAN, TOP_SHARE, IMBALANCE,
)  # fmt: skip
"""The measures of balance, in the order in which they are shown."""
FIT = (CLUSTERS_SLOPE, CLUSTERS_INTERCEPT, CLUSTERS_R2, CLUSTERS_EXPONENT, CLUSTERS_EXPONENT_R2)
"""The measures of the clusters of a class against its size, in the order in which they are shown."""

MEANINGS: Mapping[str, str] = {
    N_ITEMS: "copies counted",
    N_GROUPS: "clusters or classes of the pool",
    N_PRESENT: "groups with items",
    COVERAGE: "groups with items, of all",
    NORMALISED_ENTROPY: "1 is balanced",
    EFFECTIVE_NUMBER: "equally large groups of the same entropy",
    GINI: "0 is balanced",
    MAX_OVER_MEDIAN: "the largest group over the median one: 1 is balanced",
    TOP_SHARE: "of the items, in the largest 1% of the groups, at least one",
    IMBALANCE: "the largest group over the smallest: 1 is balanced",
    LARGEST_SHARE: "of the selection's items, in the largest clusters of the pool",
    LARGEST_SHARE_POOL: "of the pool's items, in its largest clusters",
    N_SHRUNK: "of the largest clusters, with a smaller share in the selection",
    SHRUNK_SHARE: "of the selection's items, in those",
    SHRUNK_SHARE_POOL: "of the pool's items, in those",
    CLUSTER_SHARE: "of the items, in a cluster",
    CLUSTER_SHARE_RATIO: "the share in the selection over that in the pool",
    SELECTION_RATE: "of the group's items, that are selected",
    SELECTION_RATE_GAP: "the highest rate less the lowest, over the highest: 0 is even",
    N_CLUSTERS: "of a class, with items",
    MEAN_CLUSTER_SIZE: "items of a class over its clusters",
    CLUSTERS_SLOPE: "clusters of a class for each of its items, by least squares: 0 is balanced",
    CLUSTERS_INTERCEPT: "of the same line: clusters at size 0",
    CLUSTERS_R2: "of the variance of clusters a class that the line explains",
    CLUSTERS_EXPONENT: "clusters of a class grow as its size to this power: 0 is balanced, 1 is proportional",
    CLUSTERS_EXPONENT_R2: "of the variance of their logarithm that the power explains",
    STORED_ABOVE: "the cosine from which on pairs are stored",
    THRESHOLD: "the cosine above which two items are copies",
    PAIR_RECALL: "of all pairs of a sample above it, that were found",
    N_PAIRS: "that are stored",
    N_DROPPED: "items that do not go on",
    N_REMAINING: "items after a round of SemDeDup",
}
"""What a measure says."""


def in_words(name: str) -> str:
    """The name of a measure or group for people: that of the table, in words."""
    return name.replace("_", " ")
