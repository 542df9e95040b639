"""Folders of pictures."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from equipoise.config.sources.base import AnySource, plain_endings
from equipoise.encoders.base import Kind

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff")


def _endings(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        raise ValueError("extensions is empty: no file would be looked at; name some, or drop the key")
    return plain_endings(given)


Extensions = Annotated[tuple[str, ...], AfterValidator(_endings)]
"""Endings of file names: ``.PNG`` and ``png`` are one."""


class ImagesSource(AnySource):
    """A folder of images, at any depth; items are kept by reference unless ``inline``."""

    content_kind: ClassVar[Kind | None] = "images"

    kind: Literal["images"]
    label: Literal["parent_folder"] | None = None
    inline: bool = False
    extensions: Extensions = PICTURES
