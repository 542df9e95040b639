"""One level of hierarchical k-means: Lloyd, then rounds of resampling (Vo et al. 2024, section 3.3)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.nearest import Floats
from equipoise.kernels.seeding import Seeding, seed_centroids
from equipoise.kernels.vectors import Vectors, unit_length

Metric = Literal["euclidean", "cosine"]


@dataclass(frozen=True)
class Level:
    """A level to build: ``k`` clusters, then ``rounds`` of resampling with ``points`` items a cluster.

    ``points`` is a number, or "half" of the mean cluster size, rounded down, at least 2. With ``splits``,
    ``k / splits`` coarse clusters are made first, and so many inside each of them; such a level is not resampled.
    """

    k: int
    rounds: int = 0
    points: int | Literal["half"] = "half"
    splits: int = 1

    def __post_init__(self) -> None:
        """Refuses what cannot be built."""
        if self.splits > 1 and self.rounds:
            raise ConfigError(f"a level of k = {self.k} has splits: {self.splits} and {self.rounds} rounds: drop one")
        if self.splits < 1 or self.k % self.splits:
            raise ConfigError(f"a level of k = {self.k} has splits: {self.splits}; k must be a multiple of it")

    @property
    def k0(self) -> int:
        """Coarse clusters: all, where nothing is split."""
        return self.k // self.splits

    def points_per_cluster(self, count: int) -> int:
        """How many of ``count`` vectors a cluster keeps for resampling."""
        return max(2, count // self.k // 2) if self.points == "half" else self.points

    def resampled(self, count: int) -> int:
        """How many of ``count`` vectors a round clusters, at most; 0 without rounds."""
        return min(self.points_per_cluster(count) * self.k, count) if self.rounds else 0

    def thin_note(self, count: int) -> str:
        """What resampling does where ``points: half`` is 2 of clusters of 2 on average, or fewer; empty elsewhere."""
        kept = self.resampled(count)
        if not kept or self.points != "half" or count // self.k > 2:
            return ""
        return (
            f"{count:,} vectors in {self.k:,} clusters are {count / self.k:.1f} each, of which resampling takes 2 "
            f"(points: half, at least 2): up to {kept:,}, all but the third and further ones of a cluster. Its rounds "
            f"cluster most vectors again, from new seeds, and even out less than with k at most {max(1, count // 4):,}"
        )


@dataclass(frozen=True)
class KMeans:
    """How every k-means of a hierarchy is run."""

    metric: Metric = "euclidean"
    seeding: Seeding = "kmeans++"
    iterations: int = 50
    tolerance: float = 1e-4

    @property
    def stopping(self) -> dict[str, Any]:
        """The keywords of :func:`equipoise.kernels.lloyd.lloyd`."""
        return {"iterations": self.iterations, "tolerance": self.tolerance, "spherical": self.spherical}

    @property
    def spherical(self) -> bool:
        """Whether vectors and centroids are kept at unit length."""
        return self.metric == "cosine"


@dataclass(frozen=True)
class LevelState:
    """How far a level is: enough to go on from here to the same end.

    ``anchor`` (k, d) are the centroids whose closest members the current round clusters; None in round 0.
    """

    resampling: int
    step: Iteration
    anchor: Floats | None = None


def fit_level(
    vectors: Vectors,
    level: Level,
    *,
    kmeans: KMeans,
    seed: int,
    state: LevelState | None = None,
    on_step: Callable[[LevelState], None] = lambda state: None,
) -> Floats:
    """Centroids (k, d) of one level.

    Args:
        vectors: the level's input.
        level: number of clusters and resampling.
        kmeans: metric, seeding and stopping.
        seed: of this level.
        state: where an earlier run of the same level was broken off.
        on_step: told of every iteration.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
    """
    first, anchor, step = (state.resampling, state.anchor, state.step) if state else (0, None, None)
    for resampling in range(first, level.rounds + 1):
        with _round_input(vectors, anchor, r=level.points_per_cluster(vectors.count)) as members:
            if anchor is not None and members.count < level.k:
                return anchor  # fewer different vectors than clusters: nothing to resample
            last = step or _first_step(
                members, level.k, kmeans=kmeans, seed=derived_seed(seed, Purpose.SEEDING, resampling)
            )
            for iterated in lloyd(members, last, **kmeans.stopping):
                last = iterated
                on_step(LevelState(resampling, last, anchor))
        anchor, step = last.centroids, None
    assert anchor is not None
    return anchor


def _round_input(vectors: Vectors, anchor: Floats | None, *, r: int) -> AbstractContextManager[Vectors]:
    return nullcontext(vectors) if anchor is None else vectors.closest(anchor, r)


def _first_step(members: Vectors, k: int, *, kmeans: KMeans, seed: int) -> Iteration:
    seeds = seed_centroids(members, k, method=kmeans.seeding, seed=seed)
    return Iteration(0, unit_length(seeds) if kmeans.spherical else seeds, float("inf"))
