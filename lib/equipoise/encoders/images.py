"""Bytes -> Pillow images; whatever Pillow meets in a broken file becomes an :class:`UnreadableItem`."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image

from equipoise.encoders.base import UnreadableItem

_WIDE = ("I", "F")  # 32 bits a pixel: without a known range


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        UnreadableItem: ``unreadable_image``.
    """
    with _opened(content) as image:
        return image.size


def decode_image(content: bytes, mode: str) -> Image.Image:
    """The (first) image of a file, in the Pillow mode ``"L"`` or ``"RGB"``; 16-bit grey is scaled to 8 bits.

    Raises:
        UnreadableItem: ``unreadable_image``: corrupt, truncated, or pixels of 32 bits.
    """
    with _opened(content) as image:
        if image.mode in _WIDE:
            raise UnreadableItem("unreadable_image", f"pixels of 32 bits (mode {image.mode}) have no known range")
        if image.mode.startswith("I;16"):
            # Pillow itself would clip: all above 255 would be white.
            return image.point(lambda value: value / 256).convert("L").convert(mode)
        return image.convert(mode)


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(BytesIO(content)) as image:
            yield image
    except UnreadableItem:
        raise
    except Exception as error:  # Pillow's readers raise anything from OSError to struct.error on broken files
        # Pillow prints the buffer's address: it would differ from run to run.
        detail = str(error) if "BytesIO" not in str(error) else "no image format known to Pillow"
        raise UnreadableItem("unreadable_image", f"{type(error).__name__}: {detail}") from error
