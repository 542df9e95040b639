"""What a threshold removes where one item of a component stays: by scipy's components, not by our own."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def n_removed(src, dst, similarity, threshold: float) -> int:
    is_edge = np.asarray(similarity, np.float32) > np.float32(threshold)
    items, ends = np.unique(np.stack([src, dst])[:, is_edge], return_inverse=True)
    first, second = ends.reshape(2, -1)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(items), len(items)))
    return len(items) - int(connected_components(graph, directed=False)[0]) if len(items) else 0
