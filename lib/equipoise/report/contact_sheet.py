"""A picture of several sets of images, side by side."""

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from equipoise.report.thumbnails import fitted

COLUMNS = 10
CELL = 48
MARGIN = 12
TITLE_HEIGHT = 28
BACKGROUND, INK, EMPTY = "#ffffff", "#1f2933", "#e4e7eb"


def contact_sheet(groups: Mapping[str, Sequence[bytes]]) -> bytes:
    """Makes a PNG with one square of thumbnails a group, under its title.

    Args:
        groups: by title, the encoded images (any format that Pillow reads); an unreadable one leaves its cell empty.
    """
    rows = max(1, max(-(-len(images) // COLUMNS) for images in groups.values()))
    block = (COLUMNS * CELL + 2 * MARGIN, rows * CELL + TITLE_HEIGHT + 2 * MARGIN)
    sheet = Image.new("RGB", (block[0] * len(groups), block[1]), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for number, (title, images) in enumerate(groups.items()):
        left = number * block[0] + MARGIN
        draw.text((left, MARGIN), title, fill=INK, font=ImageFont.load_default(16))
        for place, content in enumerate(images):
            corner = (left + place % COLUMNS * CELL, MARGIN + TITLE_HEIGHT + place // COLUMNS * CELL)
            sheet.paste(_thumbnail(content), corner)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _thumbnail(content: bytes) -> Image.Image:
    cell = (CELL - 2, CELL - 2)
    image = fitted(content, CELL - 2)
    return Image.new("RGB", cell, EMPTY) if image is None else ImageOps.pad(image, cell, color=EMPTY)
