"""Tables of contents or of their places."""

from typing import Literal, Self

from pydantic import model_validator

from equipoise.config.sources.base import SourceWithIds


class TableSource(SourceWithIds):
    """A Delta or Parquet folder, or a table ``catalog.schema.table``, with a column of contents or of uris."""

    kind: Literal["table"]
    id: str | None = None
    uri: str | None = None
    content: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_something_to_embed(self) -> Self:
        if self.uri is None and self.content is None:
            raise ValueError("a table source needs the column of its contents (content) or of their places (uri)")
        return self
