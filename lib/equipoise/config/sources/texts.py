"""Folders of texts."""

from typing import ClassVar, Literal

from equipoise.config.sources.base import SourceWithIds
from equipoise.config.sources.blocking import Block
from equipoise.encoders.base import Kind


class TextsSource(SourceWithIds):
    """A folder (or file) of ``.txt``, one document each, or of JSON lines with the field ``text``."""

    content_kind: ClassVar[Kind | None] = "texts"

    kind: Literal["texts"]
    text: str = "text"
    id: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()
    inline: bool = True
    block: Block | None = None
