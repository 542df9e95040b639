"""How selections are judged, and which methods are compared."""

from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, model_validator

from equipoise.config.sections import Section

RESERVED = ("pool", "random")
"""What metrics call the whole pool, and the random selection that a comparison always has."""


class LabelledSet(Section):
    """Vectors of the same encoder whose classes are known: for the classes of pools without labels.

    ``.npy`` with ``labels``, a file of one label a line (or .npy); or Parquet or Delta with the columns ``vector`` and
    ``label``. The ``k`` nearest of them vote about every cluster of ``level``.
    """

    path: str
    labels: str | None = None
    vector: str = "embedding"
    label: str = "label"
    k: PositiveInt = 5
    level: PositiveInt = 1

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


class Variant(Section):
    """A method to compare: what it changes in the sections ``embed``, ``cluster`` and in its selection."""

    name: Annotated[str, Field(pattern=r"^[\w\-]+$")]
    embed: dict[str, Any] = Field(default_factory=dict)
    cluster: dict[str, Any] = Field(default_factory=dict)
    select: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_method(self) -> Self:
        if self.name in RESERVED:
            raise ValueError(f"a variant named {self.name!r} is always there: take another name, or drop it")
        for key in {"name", "target", "targets", "per_cluster"} & self.select.keys():
            raise ValueError(f"select.{key} cannot differ between methods: they are compared at compare.target")
        return self


class Compare(Section):
    """Methods at one budget; without ``variants``, those that the config's own levels suggest."""

    target: Annotated[int, Field(ge=1, lt=2**62)]
    variants: tuple[Variant, ...] | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [variant.name for variant in self.variants or ()]
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"variants has {names.count(name)} entries named {name!r}; names must differ")
        return self


class Report(Section):
    """The HTML report that ``curate`` ends with; ``out`` is a folder, else ``reports`` beside the tables."""

    out: str | None = None
