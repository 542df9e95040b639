"""Tables of contents or of their places."""

from typing import Literal, Self

from pydantic import model_validator

from equipoise.config.sources.base import SourceWithIds
from equipoise.config.sources.blocking import URL, Block


class TableSource(SourceWithIds):
    """A Delta or Parquet folder, or a table ``catalog.schema.table``, with a column of contents or of uris."""

    kind: Literal["table"]
    id: str | None = None
    uri: str | None = None
    content: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()
    block: Block | None = None

    @property
    def url_field(self) -> str | None:
        """The column that has the page of an item: one that is named, the attribute ``url``, or that of the uris."""
        if self.blocks is None:
            return None
        return self.blocks.url or (URL if URL in self.attributes else self.uri)

    @model_validator(mode="after")
    def _has_something_to_embed(self) -> Self:
        if self.uri is None and self.content is None:
            raise ValueError("a table source needs the column of its contents (content) or of their places (uri)")
        if self.blocks and not self.url_field:
            raise ValueError(
                "block: of which column are the pages? Name it by url, as one of attributes or by block.url"
            )
        return self
