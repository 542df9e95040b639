"""Where the items of a run come from."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from equipoise.config.places import Place
from equipoise.config.sections import HOW, Section
from equipoise.encoders.base import Kind
from equipoise.pipeline.locating import in_one_spelling

FILE_SUFFIX = re.compile(r"\.(npy|parquet|delta|jsonl?|ndjson|txt)(\.(gz|bz2|zst))?$")
SOURCE_NAME = re.compile(r"[^0-9A-Za-z_\-]+")
_EXTENSION = re.compile(r"[^\s/*?\[\]{}]+")


def is_npy_name(name: str) -> bool:
    """Whether a file of this name holds an array."""
    return name.lower().endswith(".npy")


class _Source(Section):
    """``damaged: skip`` rejects a file that cannot be read as one row, and takes the others.

    ``changed: replace`` takes items anew whose file, contents or vector is another than the pool's.
    """

    path: str
    name: Annotated[str | None, HOW] = None
    damaged: Literal["refuse", "skip"] = "refuse"
    changed: Literal["keep", "replace"] = "keep"

    @property
    def own_name(self) -> str:
        """The given name, else the last part of the path.

        Of what follows a dot only a file's suffix goes: ``web.pages`` and ``web.news`` are two sources.
        """
        return self.name or SOURCE_NAME.sub("_", FILE_SUFFIX.sub("", PurePosixPath(self.path).name))


class _WithIds(_Source):
    """``id_space: own`` hashes source and id, so that the whole numbers of two sources may overlap."""

    id_space: Literal["shared", "own"] = "shared"


class ImagesSource(_Source):
    """A folder of images, at any depth; items are kept by reference unless ``inline``."""

    kind: Literal["images"]
    label: Literal["parent_folder"] | None = None
    inline: bool = False
    extensions: tuple[str, ...] = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff")

    @field_validator("extensions")
    @classmethod
    def _endings(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """``.PNG`` and ``png`` are one."""
        plain = tuple(dict.fromkeys(extension.strip().removeprefix(".").lower() for extension in given))
        if not plain:
            raise ValueError("extensions is empty: no file would be looked at; name some, or drop the key")
        for extension in plain:
            if not _EXTENSION.fullmatch(extension):
                raise ValueError(f"{extension!r} is no ending of a file name: write it as png or .png")
        return plain


class TextsSource(_WithIds):
    """A folder (or file) of ``.txt``, one document each, or of JSON lines with the field ``text``."""

    kind: Literal["texts"]
    text: str = "text"
    id: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()
    inline: bool = True


class TableSource(_WithIds):
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


class EmbeddingsSource(_WithIds):
    """Ready-made vectors: ``.npy`` (with a file of ids beside), a folder of them, or Parquet or Delta with a column.

    ``uri``: a column with the places of what was embedded, for the pictures of a report. ``encoder``: the name of what
    made them, so that several sources, or an encoder of the config, go together.
    """

    kind: Literal["embeddings"]
    encoder: str | None = None
    ids: str | None = None
    id: str | None = None
    vector: str = "embedding"
    uri: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()

    @property
    def is_npy(self) -> bool:
        """Whether it is a file of vectors alone: all else is a table, or a folder of such files."""
        return is_npy_name(self.path)

    @model_validator(mode="after")
    def _columns_are_of_tables(self) -> Self:
        # A folder may hold parts in .npy, with a folder of ids: what is there is looked at before the run.
        ids = PurePosixPath(self.ids or "").suffix
        columns = ("uri", "label", "attributes") if ids == ".parquet" else ("id", "uri", "label", "attributes")
        for key in columns if self.is_npy else ("ids",) if ids in (".npy", ".txt", ".parquet") else ():
            if getattr(self, key):
                of_table = "is read as Delta or Parquet: name its column of ids, id"
                what = "has no columns: drop it, or write a table" if self.is_npy else of_table
                raise ValueError(f"{key}: {getattr(self, key)!r} does not go with {self.path}, which {what}")
        return self


Source = Annotated[ImagesSource | TextsSource | TableSource | EmbeddingsSource, Field(discriminator="kind")]


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
        return not isinstance(self.section, EmbeddingsSource)

    @property
    def origin(self) -> str:
        """Where its items come from, in one spelling."""
        return in_one_spelling(self.section.path)

    @property
    def content_kind(self) -> Kind | None:
        """What the contents are; None where only the encoder can tell, or there are none."""
        return self.section.kind if isinstance(self.section, ImagesSource | TextsSource) else None


def is_npy(source: Source) -> bool:
    """Whether it is a file of vectors alone."""
    return isinstance(source, EmbeddingsSource) and source.is_npy


KINDS = tuple(
    get_args(source.model_fields["kind"].annotation)[0]
    for source in (ImagesSource, TextsSource, TableSource, EmbeddingsSource)
)
