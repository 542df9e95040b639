"""Which models turn items into vectors."""

from typing import Annotated, Any

from pydantic import ConfigDict, PositiveInt

from equipoise.config.sections import HOW, Section
from equipoise.encoders import encoder_id


class Embed(Section):
    """An encoder; keys beside these are its own options, checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    encoder: str
    batch_size: Annotated[PositiveInt, HOW] = 256
    items_per_commit: Annotated[PositiveInt, HOW] = 1_000_000

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
