"""Which models turn items into vectors."""

from functools import cache
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, create_model, model_validator

from equipoise.config.sections import HOW, TOLD, Count, Section
from equipoise.encoders import encoder_id, encoder_options
from equipoise.errors import ConfigError, nearest


class Embed(Section):
    """An encoder; keys beside these are its own options, checked by it."""

    model_config = ConfigDict(extra="allow")

    encoder: str
    batch_size: Annotated[int, Field(gt=0, le=1_000_000), HOW] = 256
    items_per_commit: Annotated[Count, HOW] = 1_000_000
    tasks_per_gpu: Annotated[int, Field(gt=0, le=1000), HOW] = 1
    trained_on: Annotated[str | None, TOLD] = None

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        """As the encoder declares them; that there is such an encoder is seen later, and said in other words."""
        try:
            model = _options_of(self.encoder)
        except ConfigError:
            return self
        for key in sorted(model.model_fields.keys() & type(self).model_fields.keys()):
            raise ValueError(f"encoder {self.encoder!r} has an option {key!r}, a key of its section: rename it")
        for key in self.options.keys() - model.model_fields.keys():
            known = [*model.model_fields, *type(self).model_fields]
            raise ValueError(f"encoder {self.encoder!r} has no option {key!r}; {nearest(key, known)}")
        checked = model.model_validate(self.options)  # pydantic sets what it finds behind the place of this section
        own = self.model_extra or {}
        own.update({key: getattr(checked, key) for key in own})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The encoder's own options."""
        return dict(self.model_extra or {})

    @property
    def id(self) -> str:
        """The ``encoder_id`` of its vectors.

        Raises:
            ConfigError: the encoder or an option of it is unknown.
        """
        return encoder_id(self.encoder, self.options)


@cache
def _options_of(encoder: str) -> type[Section]:
    fields = {name: (option.annotation, option.default) for name, option in encoder_options(encoder).items()}
    model: type[Section] = create_model(f"{encoder} options", __base__=Section, **fields)  # type: ignore[call-overload]
    return model
