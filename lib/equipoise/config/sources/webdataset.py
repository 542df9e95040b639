"""Tar shards, as WebDataset and img2dataset write them."""

from typing import ClassVar, Literal

from equipoise.config.sources.base import AnySource
from equipoise.config.sources.blocking import Block
from equipoise.config.sources.images import PICTURES, Extensions
from equipoise.encoders.base import Kind


class WebDatasetSource(AnySource):
    """A folder (or file) of ``.tar``: pictures, and beside them ``.json``, ``.txt`` and ``.cls`` of the same key.

    Pictures are read where they lie, by their place in the shard, unless ``inline``. ``attributes`` are fields of the
    JSON; ``caption`` and ``cls`` may also come from those members. ``label`` is one of them, or ``parent_folder``.
    """

    content_kind: ClassVar[Kind | None] = "images"

    kind: Literal["webdataset"]
    label: str | None = None
    attributes: tuple[str, ...] = ()
    inline: bool = False
    extensions: Extensions = PICTURES
    block: Block | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What the names of pictures end in."""
        return tuple(f".{extension}" for extension in self.extensions)
