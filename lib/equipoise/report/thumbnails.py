"""Small pictures and short texts of items."""

import io
import re
import warnings
from pathlib import PurePosixPath

from PIL import Image, ImageOps

THUMBNAIL_SIDE = 72
SNIPPET_LENGTH = 180
_LOSSLESS_BELOW = 33  # pixels: scans of so few are drawn as they are
_ENCODINGS = ((72, 75), (72, 50), (56, 45), (40, 40), (24, 30), (12, 20))  # (side, quality), the best first
_LONGEST_PATH = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def fitted(content: bytes, side: int) -> Image.Image | None:
    """The image in a square of ``side`` pixels, its shape kept; None where Pillow cannot read it.

    Tiny scans are enlarged in whole pixels, photographs shrunk smoothly.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            is_small = max(image.size) < side
            image.draft("RGB", (2 * side, 2 * side))  # a JPEG's decoder skips what the thumbnail has no room for
            method = Image.Resampling.NEAREST if is_small else Image.Resampling.LANCZOS
            return ImageOps.contain(image.convert("RGB"), (side, side), method=method)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def preview(content: bytes, *, most_bytes: int) -> tuple[bytes | None, str | None]:
    """What a page shows of an item: a thumbnail, or else the beginning of a text.

    Args:
        content: an encoded image or UTF-8.
        most_bytes: of the thumbnail; it gets coarser until it fits.

    Returns:
        (WebP, None) of an image, (None, text of at most 180 characters) of a text, (None, None) of all else.
    """
    if (image := fitted(content, THUMBNAIL_SIDE)) is not None:
        return _encoded(image, content, most_bytes), None
    head = content[: 8 * SNIPPET_LENGTH]
    text = head.decode(errors="ignore")
    is_text = b"\0" not in head and len(text.encode()) >= len(head) - 3  # 3: a character that the cut went through
    return None, snippet(text) if is_text else None


def is_image_name(text: str) -> bool:
    """Whether a text may be the path or uri of an image that Pillow reads: it ends like one."""
    suffix = PurePosixPath(text).suffix.lower() if len(text) < _LONGEST_PATH else ""
    return Image.registered_extensions().get(suffix) in Image.OPEN


def snippet(text: str, length: int = SNIPPET_LENGTH) -> str:
    """The beginning of a text, on one line, without control characters and marks of direction."""
    plain = " ".join(_CONTROL.sub(" ", text).split())
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"


def _encoded(image: Image.Image, content: bytes, most_bytes: int) -> bytes:
    with Image.open(io.BytesIO(content)) as original:
        is_scan = max(original.size) < _LOSSLESS_BELOW
    encoded = _webp(image, lossless=True) if is_scan else b""
    for side, quality in _ENCODINGS:
        if encoded and len(encoded) <= most_bytes:
            break
        encoded = _webp(ImageOps.contain(image, (side, side)), quality=quality)
    return encoded


def _webp(image: Image.Image, *, quality: int = 75, lossless: bool = False) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, lossless=lossless, method=4)
    return file.getvalue()
