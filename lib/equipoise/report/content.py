"""What a report shows, as plain values: the stage reads them from the tables, the page prints them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.report.duplicates import Duplicates
from equipoise.report.items import Item
from equipoise.report.measurements import Metrics, VotedClasses


@dataclass(frozen=True)
class StageFacts:
    """The newest state of a stage of the run; ``seconds`` is what its last attempt took, None if it did not end.

    ``stands_on`` are the stages whose rows it read, but for those that they stand on themselves.
    """

    name: str
    status: str
    seconds: float | None
    attempts: int
    n_in: int | None = None
    n_out: int | None = None
    n_rejected: int | None = None
    drops: Mapping[str, int] = field(default_factory=dict)
    stands_on: Sequence[str] = ()


@dataclass(frozen=True)
class RunFacts:
    """Where a run came from: ``config`` is YAML, ``versions`` those of the tables that it read, by name.

    ``source`` is None where the run has no pool, as a benchmark; all else that may be None is where it has no stages of
    its own: a comparison measures what other runs made. ``encoders`` are in words, with what they were trained on.
    """

    run_id: str
    workspace: str
    source: str | None
    seed: int | None
    code_version: str | None
    began: datetime | None
    config: str
    versions: Mapping[str, int]
    stages: Sequence[StageFacts]
    encoders: Sequence[str] = ()

    @property
    def n_found(self) -> int:
        """Items that the sources had: what went into the stages that others stand on and that stand on none."""
        needed = {name for stage in self.stages for name in stage.stands_on}
        first = [stage for stage in self.stages if not stage.stands_on]
        return sum(stage.n_in or 0 for stage in [one for one in first if one.name in needed] or first)


@dataclass(frozen=True)
class Spread:
    """How the items of one set lie over groups: ``weights[i]`` groups have ``sizes[i]`` items; (m,) each.

    ``kind`` is pool, selection or random; ``tint`` numbers the selections, a random set has that of its selection.
    """

    name: str
    kind: str
    tint: int
    sizes: NDArray[np.float64]
    weights: NDArray[np.float64]
    measures: Mapping[str, float]

    @property
    def n_items(self) -> float:
        """Items of the set, copies counted; 0 of an empty selection."""
        return float(self.sizes @ self.weights)


@dataclass(frozen=True)
class Balance:
    """The spreads over one kind of groups: the clusters of a level, or the classes."""

    group: str
    spreads: Sequence[Spread]


@dataclass(frozen=True)
class ClassSizes:
    """One class: its items in every set, by the set's name."""

    label: str
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class Shrank:
    """The ``n`` of the largest clusters whose share a selection made smaller: what they hold of the pool and of it."""

    n: int
    share_pool: float
    share: float


@dataclass(frozen=True)
class Largest:
    """What the ``n`` largest clusters of a level hold of the pool and of every set, as shares.

    ``shrank`` has those of them that shrank, by the name of the selection.
    """

    level: int
    n: int
    shares: Mapping[str, float]
    shrank: Mapping[str, Shrank] = field(default_factory=dict)


@dataclass(frozen=True)
class SelectionFacts:
    """One selection: its rule in words, and what it took."""

    name: str
    rule: str
    n_items: int
    n_copies: int


@dataclass(frozen=True)
class Cluster:
    """A node of the tree: its items in the pool and in every selection, its children, and examples by kind."""

    level: int
    cluster_id: int
    n_pool: int
    share_pool: float
    n_curated: Mapping[str, int]
    ratios: Mapping[str, float | None]
    n_children: int
    children: Sequence["Cluster"]
    examples: Mapping[str, Sequence[Item]]

    @property
    def n_left_out(self) -> int:
        """Children that are not shown."""
        return self.n_children - len(self.children)


@dataclass(frozen=True)
class Tree:
    """The clusters shown, largest first; ``shown`` and ``total`` count them by level, from the top down.

    On top are the ``n_largest``, and ``n_shrunk`` more that shrank the most.
    """

    clusters: Sequence[Cluster]
    levels: Sequence[int]
    shown: Mapping[int, int]
    total: Mapping[int, int]
    has_contents: bool = True
    n_largest: int = 0
    n_shrunk: int = 0


@dataclass(frozen=True)
class Rejects:
    """Items that a stage could not use for one reason, with a few of them."""

    stage: str
    reason: str
    n_items: int
    examples: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Failure:
    """A retrieval that went wrong: what was asked, what came first, and what should have; distances to the query."""

    model: str
    benchmark: str
    rank: int
    query: Item
    predicted: Item
    correct: Item
    predicted_distance: float | None
    correct_distance: float | None


@dataclass(frozen=True)
class Report:
    """Everything on the page; what is None or empty is explained there instead, without ``failures`` nothing is said.

    ``iterations`` has the rows of the table of that name.
    """

    run: RunFacts
    balances: Sequence[Balance] = ()
    largest: Sequence[Largest] = ()
    classes: Sequence[ClassSizes] = ()
    n_classes: int = 0
    iterations: pd.DataFrame | None = None
    selections: Sequence[SelectionFacts] = ()
    compared: Sequence[str] = ()
    tree: Tree | None = None
    rejects: Sequence[Rejects] = ()
    duplicates: Duplicates | None = None
    metrics: Metrics = field(default_factory=Metrics)
    voted: VotedClasses | None = None
    failures: Sequence[Failure] = ()
