"""Photographs that come with libraries, cut into squares, and copies of these as people make them."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
"""Of scikit-image. Left out are pictures of one thing over and over (brick, coins, stars): their squares are alike."""
SIDE = 128
LEAST_DETAIL = 25
"""Deviation of the grey values of a square, averaged over some 5 x 5 pixels: sky and other plain ground is below."""


def squares(parity: int) -> dict[str, Image.Image]:
    """The black (0) or white (1) squares of a chess board laid over each photograph, of which none touch by a side."""
    from skimage import data

    found = {}
    for file in PHOTOGRAPHS:
        photograph = Image.open(f"{data.__path__[0]}/{file}").convert("RGB")
        for row in range(photograph.height // SIDE):
            for column in range((row + parity) % 2, photograph.width // SIDE, 2):
                left, top = column * SIDE, row * SIDE
                square = photograph.crop((left, top, left + SIDE, top + SIDE))
                if np.asarray(square.convert("L").resize((25, 25)), float).std() >= LEAST_DETAIL:
                    found[f"{file.partition('.')[0].replace('_', '-')}-{row}{column}"] = square
    return found


def planted(square: Image.Image) -> dict[str, bytes]:
    """A square and its copies, as files: the name of each ends with what was done."""
    plain = {
        "original.png": square,
        "crop90.png": _cropped(square, 0.9, (1.0, 0.0)),
        "crop80.png": _cropped(square, 0.8, (0.5, 0.5)),
        "flipped.png": square.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "text.png": _with_text(square),
        "half.png": square.resize((SIDE // 2, SIDE // 2)),
        "larger.png": square.resize((SIDE * 3 // 2, SIDE * 3 // 2)),
    }
    files = {name: _file(picture, "PNG") for name, picture in plain.items()}
    return files | {f"quality{quality}.jpg": _file(square, "JPEG", quality=quality) for quality in (90, 50, 20)}


def _cropped(picture: Image.Image, part: float, place: tuple[float, float]) -> Image.Image:
    side = int(SIDE * part)
    left, top = (int((SIDE - side) * share) for share in place)
    return picture.crop((left, top, left + side, top + side))


def _with_text(picture: Image.Image) -> Image.Image:
    written = picture.copy()
    font = ImageFont.load_default(size=SIDE // 7)
    place = (SIDE * 0.08, SIDE * 0.75)
    ImageDraw.Draw(written).text(place, "SALE 50 %", "white", font, stroke_width=1, stroke_fill="black")
    return written


def _file(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
