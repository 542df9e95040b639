"""What all sources have."""

import re
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from equipoise.config.sections import HOW, Section
from equipoise.config.sources.blocking import URL, Block
from equipoise.encoders.base import Kind

FILE_SUFFIX = re.compile(r"\.(npy|npz|zarr|parquet|delta|jsonl?|ndjson|txt|tar)(\.(gz|bz2|zst))?$")
_EXTENSION = re.compile(r"[^\s/*?\[\]{}]+")
SOURCE_NAME = re.compile(r"[^0-9A-Za-z_\-]+")


class AnySource(Section):
    """``damaged: skip`` rejects a file that cannot be read as one row, and takes the others.

    ``changed: replace`` takes items anew whose file, contents or vector is another than the pool's.
    """

    content_kind: ClassVar[Kind | None] = None
    """What the contents are, where the kind of the source tells."""
    has_contents: ClassVar[bool] = True
    """Whether there is something to embed: not where vectors are brought ready-made."""

    path: str
    name: Annotated[str | None, HOW] = None
    damaged: Literal["refuse", "skip"] = "refuse"
    changed: Literal["keep", "replace"] = "keep"

    @property
    def is_kept_inline(self) -> bool:
        """Whether contents that are read go into the pool; what a row brings by itself is there in any case."""
        return bool(getattr(self, "inline", False))

    @property
    def blocks(self) -> Block | None:
        """Its lists of what is left out; None where it has none, or its kind has no addresses of pages."""
        found: Block | None = getattr(self, "block", None)
        return found

    @property
    def url_field(self) -> str | None:
        """The field or column that has the page of an item, where its lists ask for it."""
        return None if self.blocks is None else self.blocks.url or URL

    @property
    def own_name(self) -> str:
        """The given name, else the last part of the path.

        Of what follows a dot only a file's suffix goes: ``web.pages`` and ``web.news`` are two sources.
        """
        return self.name or SOURCE_NAME.sub("_", FILE_SUFFIX.sub("", PurePosixPath(self.path).name))


class SourceWithIds(AnySource):
    """``id_space: own`` hashes source and id, so that the whole numbers of two sources may overlap."""

    id_space: Literal["shared", "own"] = "shared"


def plain_endings(given: tuple[str, ...]) -> tuple[str, ...]:
    """Endings of file names as they are compared: ``.PNG`` and ``png`` are one.

    Raises:
        ValueError: one is none.
    """
    plain = tuple(dict.fromkeys(extension.strip().removeprefix(".").lower() for extension in given))
    for extension in plain:
        if not _EXTENSION.fullmatch(extension):
            raise ValueError(f"{extension!r} is no ending of a file name: write it as png or .png")
    return plain
