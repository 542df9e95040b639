"""What a config says beside the sections of stages: where, with what seed, from which sources, by which encoders."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from equipoise.config.encoders import Embed
from equipoise.config.kinds import ANY_TEXT
from equipoise.config.loading import spark_settings
from equipoise.config.places import Place
from equipoise.config.sections import LONGEST_NAME, Name, Section, ShortText
from equipoise.config.sources import EmbeddingsSource, NamedSource, Source
from equipoise.config.spark_keys import problem_of
from equipoise.config.studies import Compare, Report
from equipoise.encoders import given_encoder_id
from equipoise.errors import ConfigError, nearest
from equipoise.pipeline.locating import workspace_problem

Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""Of all draws: a BIGINT."""


def _workspace(place: str) -> str:
    if problem := workspace_problem(place):
        raise ValueError(problem)
    return place


class Config(Section):
    """A whole run; stages add their own sections. Those whose section is absent are not run.

    ``source`` and ``embed`` are the short form of one source and one encoder. ``pool`` names the sources that are
    curated; by default all that no stage refers to for another purpose.
    """

    name: Annotated[ShortText, Field(pattern=r"^[\w\-.]+$")]
    workspace: Annotated[str, AfterValidator(_workspace)]
    seed: Seed = 0
    source: Source | None = None
    sources: dict[Name, Source] = Field(default_factory=dict)
    pool: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    embed: Embed | None = None
    encoders: dict[Name, Embed] = Field(default_factory=dict)
    compare: Compare | None = None
    report: Report | None = None
    spark: dict[str, Annotated[str, ANY_TEXT]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None or name not in cls.model_fields}

    @model_validator(mode="before")
    @classmethod
    def _spark_values_are_text(cls, values: Any) -> Any:
        spark = values.get("spark") if isinstance(values, dict) else None
        if not isinstance(spark, dict):
            return values
        return {**values, "spark": spark_settings(spark)}

    @field_validator("spark", mode="after")
    @classmethod
    def _spark_takes_them(cls, settings: dict[str, str]) -> dict[str, str]:
        found = {key: problem for key, value in settings.items() if (problem := problem_of(key, value))}
        if found:
            raise ValidationError.from_exception_data(
                "spark",
                [
                    InitErrorDetails(type=PydanticCustomError("spark", problem), loc=(key,), input=settings[key])  # type: ignore[arg-type]
                    for key, problem in found.items()
                ],
            )
        return settings

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for short, long in (("source", "sources"), ("embed", "encoders")):
            if getattr(self, short) and getattr(self, long):
                raise ValueError(f"{short} is the short form of {long}: write it as one more of {long}, or keep one")
        own = self.source.own_name if self.source else "short"
        if not 0 < len(own.encode()) <= LONGEST_NAME:
            raise ValueError(
                f"source.name: is needed, for the last part of the path, {own!r}, is none of 1 to {LONGEST_NAME} bytes"
            )
        for name, source in self.sources.items():
            if source.name not in (None, name):
                raise ValueError(f"sources.{name}.name: {source.name!r} and {name!r} are two names: drop the key name")
        names = [source.name for source in self.named_sources]
        for name in self.pool or ():
            if name not in names:
                raise ValueError(f"pool: there is no source {name!r}; {nearest(name, names)}")
            if (self.pool or ()).count(name) > 1:
                raise ValueError(f"pool names {name!r} twice, and its items are curated once: drop one of the two")
        return self

    @model_validator(mode="after")
    def _names_of_vectors_fit(self) -> Self:
        for source in self.named_sources:
            is_unnamed = isinstance(source.section, EmbeddingsSource) and source.section.encoder is None
            if is_unnamed and source.name in self.named_encoders:
                raise ValueError(
                    f"{source.place}: its vectors would go by the name {source.name!r}, which is an encoder's: write "
                    f"{source.place.key('encoder')}: {source.name} where that one made them, or take another name"
                )
        return self

    @property
    def named_sources(self) -> tuple[NamedSource, ...]:
        """All sources, in the order of the file."""
        if self.source:
            return (NamedSource(self.source.own_name, self.source, Place("source")),)
        return tuple(
            NamedSource(name, source, Place(f"sources.{name}"), suffix=name) for name, source in self.sources.items()
        )

    def without_source(self, needing: str) -> ConfigError:
        """The error of a config that names no source, and of what needs one."""
        return ConfigError(f"config {self.name!r} has no section 'source', which {needing} needs: add it")

    @property
    def named_encoders(self) -> Mapping[str, Embed]:
        """The encoders by name; that of the short form has the name ``embed``."""
        return {"embed": self.embed} if self.embed else self.encoders

    def encoder_place(self, name: str) -> Place:
        """Where the section of an encoder stands."""
        return Place("embed" if self.embed else f"encoders.{name}")

    def given_encoder_id(self, source: NamedSource) -> str:
        """The encoder id of ready-made vectors: that of the encoder which they name, else one of their own."""
        assert isinstance(source.section, EmbeddingsSource)
        name = source.section.encoder
        if name is not None and name in self.named_encoders:
            return self.named_encoders[name].id
        return given_encoder_id(name or source.name)

    def encoder_ids(self) -> Mapping[str, str]:
        """Encoder ids by the names that stages know them by: encoders, what made given vectors, else their source.

        Raises:
            ConfigError: an encoder or an option of one is unknown.
        """
        given = [source for source in self.named_sources if isinstance(source.section, EmbeddingsSource)]
        names = {getattr(source.section, "encoder", None) or source.name: source for source in given}
        own = {name: self.given_encoder_id(source) for name, source in names.items()}
        return own | {name: encoder.id for name, encoder in self.named_encoders.items()}
