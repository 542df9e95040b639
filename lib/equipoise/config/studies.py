"""Which methods are compared, and where the report goes."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from equipoise.config.sections import Name, Section
from equipoise.pipeline.locating import folder_problem

RESERVED = ("pool", "random")
"""What metrics call the whole pool, and the random selection that a comparison always has."""


def _folder(place: str) -> str:
    if problem := folder_problem(place):
        raise ValueError(problem)
    return place


class Variant(Section):
    """A method to compare: what it changes in ``embed``, ``cluster`` and its selection, or its own ``deduplicate``."""

    name: Name
    embed: dict[str, Any] = Field(default_factory=dict)
    cluster: dict[str, Any] = Field(default_factory=dict)
    deduplicate: dict[str, Any] | None = None
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
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [variant.name for variant in self.variants or ()]
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"variants has {names.count(name)} entries named {name!r}; names must differ")
        return self


class Report(Section):
    """The HTML report that ``curate`` ends with; ``out`` is a folder, else ``reports`` beside the tables."""

    out: Annotated[str, AfterValidator(_folder)] | None = None
