"""Bytes -> Pillow images as people see them; whatever Pillow meets in a broken file is an :class:`UnreadableItem`."""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngImageFile

from equipoise.encoders.arrays import FloatPicture, array_size, decode_array, is_array
from equipoise.encoders.base import UnreadableItem

_T = TypeVar("_T")
UNREADABLE_IMAGE = "unreadable_image"
_WIDE = ("I", "F")  # 32 bits a pixel: without a known range
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation; 1 is upright, and so is what has none that makes sense."""
_ON_ITS_SIDE = (5, 6, 7, 8)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_PNG_TURNED = {
    "exif": b"eXIf",
    "XML:com.adobe.xmp": b"XML:com.adobe.xmp",
    "Raw profile type exif": b"profile type exif",
}
"""Where a PNG says how it is turned: Pillow's name, and what stands in the file."""


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height of the upright picture in pixels, from the header alone (where that says how it is turned).

    Raises:
        UnreadableItem: ``unreadable_image``; of an array ``unreadable_array``.
    """
    return array_size(content) if is_array(content) else _opened(content, _upright_size)


def decode_image(content: bytes, mode: str, *, near: int | None = None) -> Image.Image:
    """The picture of a file as people see it: upright, on white where it is transparent, the first of several frames.

    Args:
        content: a file of any format that Pillow reads, or a picture that is an array, which is rounded to 8 bits.
        mode: Pillow's ``"L"`` or ``"RGB"``, 8 bits a channel; 16 bits are scaled to them.
        near: a JPEG may be decoded at a fraction of its size, though with no side below this many pixels.

    Raises:
        UnreadableItem: ``unreadable_image``: corrupt, truncated, beyond Pillow's limit or the memory, or pixels of 32
            bits. Of an array ``unreadable_array``.
    """
    if is_array(content):
        return decode_array(content, mode).in_8_bits()
    return _opened(content, lambda image, picture: _decoded(image, picture, mode=mode, near=near))


def decode_picture(content: bytes, mode: str) -> Image.Image | FloatPicture:
    """The same, for those who compute with floats: of an array nothing is rounded.

    Raises:
        UnreadableItem: as for :func:`decode_image`.
    """
    return decode_array(content, mode) if is_array(content) else decode_image(content, mode)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow says nothing of odd pictures, in any thread: what it can read is taken, what not has its reason."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _decoded(image: Image.Image, content: bytes, *, mode: str, near: int | None) -> Image.Image:
    if near is not None:
        image.draft(mode, (near, near))
    clear = _clear_in_deep_colour(image, content)
    image.load()
    # Pillow turns TIFFs itself.
    turn = None if image.format == "TIFF" else _TURNS.get(_orientation(image))
    if clear is None:
        flat = _flat(image, mode)
    else:
        flat = Image.fromarray(np.where(clear[..., None], np.uint8(255), np.asarray(image))).convert(mode)
    return flat if turn is None else flat.transpose(turn)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    if image.format == "PPM" and image.mode == "I":
        image = Image.fromarray(np.asarray(image).astype(np.uint16))  # Pillow scales any depth to 16 bits
    if image.mode in _WIDE:
        raise UnreadableItem(UNREADABLE_IMAGE, f"pixels of 32 bits (mode {image.mode}) have no known range")
    if image.mode.startswith("I;16"):
        # Pillow itself would clip: all above 255 would be white.
        deep = np.asarray(image)
        grey = (deep >> 8).astype(np.uint8)
        clear = image.info.get("transparency")
        return Image.fromarray(grey if clear is None else np.where(deep == clear, np.uint8(255), grey)).convert(mode)
    if not image.has_transparency_data:
        return image.convert(mode)
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert(mode)


def _clear_in_deep_colour(image: Image.Image, content: bytes) -> NDArray[np.bool_] | None:
    """Where a PNG with 16 bits a channel has the colour that is transparent, (height, width); None for all others.

    Pillow keeps the high byte of a channel and compares that with the 16 bits of the colour. Read as if it were
    little-endian, the file gives the low bytes.
    """
    if not isinstance(image, PngImageFile) or "transparency" not in image.info:
        return None
    if [tile[3] for tile in image.tile] != ["RGB;16B"]:
        return None
    with PngImageFile(BytesIO(content)) as twin:
        twin.tile = [(*tile[:3], "RGB;16L") for tile in twin.tile]  # type: ignore[misc]  # a plain tuple does
        low = np.asarray(twin)
    return np.asarray(((np.asarray(image).astype(np.uint16) << 8 | low) == image.info["transparency"]).all(axis=-1))


def _upright_size(image: Image.Image, content: bytes) -> tuple[int, int]:
    width, height = image.size
    if image.format == "TIFF":  # has it already
        return width, height
    if image.format == "PNG" and not any(mark in content for mark in _PNG_TURNED.values()):
        return width, height  # Pillow would decode all of it to know
    return (height, width) if _orientation(image) in _ON_ITS_SIDE else (width, height)


def _orientation(image: Image.Image) -> int:
    """As the file's EXIF has it (or its XMP); 1 where that is damaged."""
    try:
        is_told = image.format == "PNG" and any(name in image.info for name in _PNG_TURNED)
        exif = Image.Image.getexif(image) if is_told else image.getexif()
        return int(exif.get(Base.Orientation, 1))
    except Exception:  # a reader of other people's structures raises anything
        return 1


def _opened(content: bytes, use: Callable[[Image.Image, bytes], _T]) -> _T:
    try:
        return _used(content, use)
    except UnreadableItem:
        if (picture := _without_texts(content)) is None:
            raise
        return _used(picture, use)


def _used(content: bytes, use: Callable[[Image.Image, bytes], _T]) -> _T:
    try:
        with Image.open(BytesIO(content)) as image:
            return use(image, content)
    except UnreadableItem:
        raise
    except Exception as error:  # Pillow's readers raise anything from OSError to struct.error on broken files
        # Pillow prints the buffer's address: it would differ from run to run.
        detail = str(error) if "BytesIO" not in str(error) else "no image format known to Pillow"
        raise UnreadableItem(UNREADABLE_IMAGE, f"{type(error).__name__}: {detail}") from error


def _without_texts(content: bytes) -> bytes | None:
    """A PNG without texts and colour profile, which Pillow refuses above a size; None where there are none.

    A chunk is its length, its kind, its content and a checksum.
    """
    if not content.startswith(_PNG):
        return None
    kept, place = [_PNG], len(_PNG)
    while place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind not in _PNG_TEXTS:
            kept.append(content[place : place + length + 12])
        place += length + 12
    picture = b"".join(kept)
    return picture if len(picture) < len(content) else None
