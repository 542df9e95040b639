"""What is selected, and by which rule."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from equipoise.config.sections import Name, Section

Target = Annotated[int, Field(ge=1, lt=2**62)]


class Selection(Section):
    """One named selection over the clustering (DESIGN of the rules: README, "Sampling").

    ``targets`` stand for as many selections, NAME-TARGET each: a config holds those in its place.
    """

    name: Name
    target: Target | None = None
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] | None = Field(default=None, exclude=True)
    per_cluster: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    method: Literal["hierarchical", "flat"] = "hierarchical"
    within: Literal["random", "closest", "farthest"] = "random"
    max_copies: Annotated[int, Field(ge=1, le=1000)] = 1
    where: str | None = None
    level: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.name == "pool":
            raise ValueError(
                "a selection named 'pool' cannot be told from the whole pool in metrics: take another name"
            )
        given = [key for key in ("target", "targets", "per_cluster") if getattr(self, key) is not None]
        if not given:
            raise ValueError(f"selection {self.name!r} needs one of target and per_cluster, or targets")
        if len(given) > 1:
            raise ValueError(f"selection {self.name!r} has both {' and '.join(given)}: keep one")
        if self.level is not None and self.method != "flat":
            raise ValueError(
                f"selection {self.name!r} has level: {self.level} and method: {self.method}, which uses all levels: "
                "write method: flat, or drop level"
            )
        return self


def _each_target(selections: tuple[Selection, ...]) -> tuple[Selection, ...]:
    """The selections, in the place of one with ``targets`` one for each."""
    return tuple(
        selection.model_copy(update={"name": f"{selection.name}-{target}", "target": target, "targets": None})
        if selection.targets
        else selection
        for selection in selections
        for target in selection.targets or (None,)
    )


Selections = Annotated[tuple[Selection, ...], AfterValidator(_each_target)]
