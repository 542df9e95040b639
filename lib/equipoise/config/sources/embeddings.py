"""Vectors that are there already."""

from pathlib import PurePosixPath
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from equipoise.config.sources.base import SourceWithIds


def is_npy_name(name: str) -> bool:
    """Whether a file of this name holds an array."""
    return name.lower().endswith(".npy")


class EmbeddingsSource(SourceWithIds):
    """Ready-made vectors: ``.npy`` (with a file of ids beside), a folder of them, or Parquet or Delta with a column.

    ``uri``: a column with the places of what was embedded, for the pictures of a report. ``encoder``: the name of what
    made them, so that several sources, or an encoder of the config, go together.
    """

    has_contents: ClassVar[bool] = False

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
