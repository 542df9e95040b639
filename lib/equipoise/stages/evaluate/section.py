"""How selections are judged."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from equipoise.config.sections import Count, Section


class LabelledSet(Section):
    """Vectors of the same encoder whose classes are known: for the classes of pools without labels.

    ``.npy`` with ``labels``, a file of one label a line (or .npy); or Parquet or Delta with the columns ``vector`` and
    ``label``. The ``k`` nearest of them vote about every cluster of ``level``, by default the top one (Vo et al. 2024,
    figure 4): those of level 1 are plain k-means, which gives a class clusters in proportion to its size.
    """

    path: str
    labels: str | None = None
    vector: str = "embedding"
    label: str = "label"
    k: Count = 5
    level: Count | None = None

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if self.path.endswith(".npy") and self.labels is None:
            raise ValueError(f"path {self.path} has no labels in it: name the file that has, labels: FILE, one a line")
        return self


class Evaluate(Section):
    """What is measured of the pool and of every selection, beside the balance of clusters and classes."""

    top: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    groups: tuple[str, ...] = ()
    random: bool = True
    labelled: LabelledSet | None = None

    @model_validator(mode="after")
    def _groups_are_attributes(self) -> Self:
        if "class" in self.groups:
            raise ValueError("groups: 'class' is what metrics call labels, which are measured anyway: drop it")
        return self
