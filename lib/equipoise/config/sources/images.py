"""Folders of pictures."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from equipoise.config.sources.base import AnySource
from equipoise.encoders.base import Kind

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff")
_EXTENSION = re.compile(r"[^\s/*?\[\]{}]+")


def _endings(given: tuple[str, ...]) -> tuple[str, ...]:
    plain = tuple(dict.fromkeys(extension.strip().removeprefix(".").lower() for extension in given))
    if not plain:
        raise ValueError("extensions is empty: no file would be looked at; name some, or drop the key")
    for extension in plain:
        if not _EXTENSION.fullmatch(extension):
            raise ValueError(f"{extension!r} is no ending of a file name: write it as png or .png")
    return plain


Extensions = Annotated[tuple[str, ...], AfterValidator(_endings)]
"""Endings of file names: ``.PNG`` and ``png`` are one."""


class ImagesSource(AnySource):
    """A folder of images, at any depth; items are kept by reference unless ``inline``."""

    content_kind: ClassVar[Kind | None] = "images"

    kind: Literal["images"]
    label: Literal["parent_folder"] | None = None
    inline: bool = False
    extensions: Extensions = PICTURES
