"""Where the items of a run come from: a module a kind of source, and a line of ``Source``."""

from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field

from equipoise.config.places import Place
from equipoise.config.sources.arrays import ArraysSource as ArraysSource
from equipoise.config.sources.base import AnySource as AnySource
from equipoise.config.sources.blocking import Block as Block
from equipoise.config.sources.embeddings import EmbeddingsSource as EmbeddingsSource
from equipoise.config.sources.images import ImagesSource as ImagesSource
from equipoise.config.sources.table import TableSource as TableSource
from equipoise.config.sources.texts import TextsSource as TextsSource
from equipoise.config.sources.webdataset import WebDatasetSource as WebDatasetSource
from equipoise.encoders.base import Kind
from equipoise.pipeline.locating import in_one_spelling

Source = Annotated[
    ImagesSource | WebDatasetSource | ArraysSource | TextsSource | TableSource | EmbeddingsSource,
    Field(discriminator="kind"),
]
KINDS = tuple(get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(Source)[0]))


@dataclass(frozen=True)
class NamedSource:
    """A source of the config: ``name`` is the value of the column ``source``, ``place`` where its section stands.

    ``suffix`` is what tells its nodes apart: empty in the short form of one.
    """

    name: str
    section: Source
    place: Place
    suffix: str = ""

    @property
    def has_contents(self) -> bool:
        """Whether there is something to embed: not where vectors are brought ready-made."""
        return self.section.has_contents

    @property
    def origin(self) -> str:
        """Where its items come from, in one spelling."""
        return in_one_spelling(self.section.path)

    @property
    def content_kind(self) -> Kind | None:
        """What the contents are; None where only the encoder can tell, or there are none."""
        return self.section.content_kind
