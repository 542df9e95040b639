"""What a report shows of the table ``metrics``, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Metric:
    """One measure over one group, by the name of the set."""

    group: str
    name: str
    values: Mapping[str, float | None]


@dataclass(frozen=True)
class Metrics:
    """The first measures of the table of that name, the sets that they are about, in order; ``n`` counts all."""

    rows: Sequence[Metric] = ()
    names: Sequence[str] = ()
    n: int = 0


@dataclass(frozen=True)
class VotedClasses:
    """The classes that a labelled set gave to clusters, by the name of the set.

    ``points`` have a row a class with items: n_items, n_clusters float64; ``measures`` are of balance, and of the fit
    of clusters against size.
    """

    points: Mapping[str, pd.DataFrame]
    measures: Mapping[str, Mapping[str, float]]
