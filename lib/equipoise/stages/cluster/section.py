"""How the cluster tree is built."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from equipoise.config.sections import HOW, Count, Section
from equipoise.errors import ConfigError
from equipoise.kernels import placement
from equipoise.kernels.branching import branching_of


class Resampling(Section):
    """Rounds of re-clustering the ``points`` closest items of every cluster (Vo et al. 2024, section 3.3)."""

    rounds: Annotated[int, Field(gt=0, le=10_000)] = 10
    points: Literal["half"] | Count = "half"


class Level(Section):
    """One level of the hierarchy."""

    k: Count
    splits: Count = 1
    resampling: Resampling | None = None

    @model_validator(mode="after")
    def _splits_are_plain(self) -> Self:
        if self.splits > 1 and self.resampling:
            raise ValueError(f"splits: {self.splits} takes no resampling: drop one of the two")
        if self.k % self.splits:
            raise ValueError(f"k: {self.k} is no multiple of splits: {self.splits}")
        return self


class DriverLimit(Section):
    """Levels within both limits run on the driver; 0 keeps every level on Spark."""

    bytes: Annotated[float, Field(ge=0, le=1e18)] = placement.DriverLimit.bytes
    flops: Annotated[float, Field(ge=0, le=1e30)] = placement.DriverLimit.flops


class Cluster(Section):
    """The hierarchical k-means; ``encoder`` names whose vectors, where there are several.

    ``tree``: every level clusters the centroids below it, or, ``top_down``, every cluster is split into as many.
    """

    encoder: Annotated[str | None, HOW] = None
    metric: Literal["euclidean", "cosine"] = "euclidean"
    tree: Literal["bottom_up", "top_down"] = "bottom_up"
    seeding: Literal["kmeans++", "kmeans||", "random"] = "kmeans++"
    iterations: Annotated[int, Field(gt=0, le=1_000_000)] = 50
    tolerance: Annotated[float, Field(ge=0, le=1)] = 1e-4
    checkpoint_every: Annotated[Count, HOW] = 5
    partitions: Annotated[int, Field(gt=0, le=1_000_000)] | None = None
    half: bool = False
    backend: Literal["auto", "numpy", "torch", "faiss"] = "auto"
    split_bytes: Annotated[float, Field(ge=1, le=2**50)] = placement.SPLIT_BYTES
    driver_limit: DriverLimit = DriverLimit()
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _levels_fall(self) -> Self:
        for number, (below, level) in enumerate(zip(self.levels, self.levels[1:], strict=False), start=2):
            if level.k >= below.k:
                raise ValueError(
                    f"level {number} has k = {level.k}, not below the {below.k} of level {number - 1}: "
                    "every level clusters the centroids of the one before, so k must fall"
                )
        return self

    @model_validator(mode="after")
    def _levels_split(self) -> Self:
        if self.tree == "top_down":
            for number, level in enumerate(self.levels, start=1):
                if level.resampling or level.splits > 1:
                    key = "resampling" if level.resampling else "splits"
                    raise ValueError(f"tree: top_down splits every level anyway: drop {key} of level {number}")
            try:
                branching_of([level.k for level in self.levels])
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self
