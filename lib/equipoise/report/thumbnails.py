"""Small pictures and short texts of items."""

import io
import re
from pathlib import PurePosixPath

from PIL import Image

from equipoise.encoders.arrays import is_array, shown_array
from equipoise.encoders.images import decode_image, image_size, quiet_pillow

THUMBNAIL_SIDE = 72
SNIPPET_LENGTH = 180
_LOSSLESS_BELOW = 33  # pixels: scans of so few are drawn as they are
_ENCODINGS = ((72, 75), (72, 50), (56, 45), (40, 40), (24, 30), (12, 20))  # (side, quality), the best first
_LONGEST_PATH = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def fitted(content: bytes, side: int) -> Image.Image | None:
    """The upright picture in a square of ``side`` pixels, its shape kept; None where it cannot be shown.

    Tiny scans are enlarged in whole pixels, photographs shrunk smoothly.
    """
    try:
        with quiet_pillow():
            is_small = max(image_size(content)) < side
            # A JPEG's decoder skips what the thumbnail has no room for.
            image = shown_array(content) if is_array(content) else decode_image(content, "RGB", near=2 * side)
            return _within(image, side, Image.Resampling.NEAREST if is_small else Image.Resampling.LANCZOS)
    except Exception:  # one picture never ends a page: it is not shown
        return None


def preview(content: bytes, *, most_bytes: int) -> tuple[bytes | None, str | None]:
    """What a page shows of an item: a thumbnail, or else the beginning of a text.

    Args:
        content: an encoded image or UTF-8.
        most_bytes: of the thumbnail; it gets coarser until it fits.

    Returns:
        (WebP, None) of an image, (None, text of at most 180 characters) of a text, (None, None) of all else.
    """
    if (thumbnail := _thumbnail(content, most_bytes)) is not None:
        return thumbnail, None
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


def _thumbnail(content: bytes, most_bytes: int) -> bytes | None:
    try:
        if (image := fitted(content, THUMBNAIL_SIDE)) is None:
            return None
        with quiet_pillow():
            is_scan = max(image_size(content)) < _LOSSLESS_BELOW
        return _encoded(image, is_scan, most_bytes)
    except Exception:  # one picture never ends a page: it is not shown
        return None


def _encoded(image: Image.Image, is_scan: bool, most_bytes: int) -> bytes:
    encoded = _webp(image, lossless=True) if is_scan else b""
    for side, quality in _ENCODINGS:
        if encoded and len(encoded) <= most_bytes:
            break
        encoded = _webp(_within(image, side, Image.Resampling.BICUBIC), quality=quality)
    return encoded


def _within(image: Image.Image, side: int, method: Image.Resampling) -> Image.Image:
    """The image in a square of ``side`` pixels, its shape kept, though no side without a pixel."""
    scale = side / max(image.size)
    width, height = (max(1, round(scale * pixels)) for pixels in image.size)
    return image.resize((width, height), method)


def _webp(image: Image.Image, *, quality: int = 75, lossless: bool = False) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, lossless=lossless, method=4)
    return file.getvalue()
