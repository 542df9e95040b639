"""Pictures as crawls bring them: broken and unusual ones, each with what is to become of it."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from PIL.ExifTags import Base

GOOD = None
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Odd:
    """A file: its name below the source, its bytes, why it is a reject (None: it is good) and how it is to look."""

    name: str
    content: bytes
    reason: str | None = GOOD
    looks: Image.Image | None = None


def plain(number: int) -> Image.Image:
    """An upright picture: its upper left is bright, its lower right has a colour by its number."""
    random = np.random.default_rng(number)
    image = Image.new("RGB", (48, 32), tuple(int(value) for value in random.integers(0, 120, 3)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 23, 15), fill=tuple(int(value) for value in random.integers(200, 256, 3)))
    draw.rectangle((32, 20, 47, 31), fill=tuple(int(value) for value in random.integers(0, 256, 3)))
    return image


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The bytes of its file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _truncated(number: int) -> Odd:
    noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise), ("PNG", "JPEG")[number % 2])
    return Odd("truncated.png", content[: len(content) // 2], "unreadable_image")


def _empty(number: int) -> Odd:
    return Odd("empty.jpg", b"", "empty_file")


def _another_ending(number: int) -> Odd:
    return Odd("a png.jpg", saved(plain(number)), looks=plain(number))


def _cmyk(number: int) -> Odd:
    """A JPEG for printers; plain colours, for what CMYK cannot say is not the question."""
    image = Image.new("RGB", (48, 32), (200, 30, 60))
    return Odd("cmyk.jpg", saved(image.convert("CMYK"), "JPEG", quality=100, subsampling=0), looks=image)


def _sixteen_bits(number: int) -> Odd:
    grey = np.linspace(0, 255, 48 * 32).astype(np.uint16).reshape(32, 48)
    looks = Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    return Odd("deep.png", saved(Image.fromarray(grey * 257)), looks=looks)


def _clear_palette(number: int) -> Odd:
    image = plain(number).quantize(8)
    clear = image.getpixel((0, 0))
    looks = np.where(np.asarray(image)[..., None] == clear, np.uint8(255), np.asarray(image.convert("RGB")))
    return Odd("palette.png", saved(image, transparency=clear), looks=Image.fromarray(looks))


def _turned(number: int) -> Odd:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    lying = plain(number).transpose(Image.Transpose.ROTATE_90)
    return Odd("turned.png", saved(lying, exif=exif), looks=plain(number))


def _one_pixel(number: int) -> Odd:
    image = Image.new("RGB", (1, 1), (10, number % 256, 200))
    return Odd("pixel.png", saved(image), looks=image)


def _very_wide(number: int) -> Odd:
    image = plain(number).resize((30_000, 4), Image.Resampling.NEAREST)
    return Odd("wide.png", saved(image), looks=image)


def _animated(number: int) -> Odd:
    frames = [plain(number).quantize(64), Image.new("P", (48, 32)), Image.new("P", (48, 32), 5)]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    return Odd("moving.gif", content, looks=frames[0].convert("RGB"))


def _text(number: int) -> Odd:
    return Odd("a text.jpg", b"<html>404: there is no such picture\n" * 20, "unreadable_image")


def _odd_name(number: int) -> Odd:
    name = ("two words", "100%25 sure", "two\nlines", "\N{GRINNING FACE} \N{HIRAGANA LETTER A}")[number % 4]
    return Odd(f"{name}.png", saved(plain(number)), looks=plain(number))


def _bomb(number: int) -> Odd:
    """A PNG of a few hundred bytes that says that it is 30,000 pixels a side."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return Odd("bomb.png", content, "unreadable_image")


def _svg(number: int) -> Odd:
    content = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    return Odd("drawing.svg", content, "unreadable_image")


def _heic(number: int) -> Odd:
    return Odd("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "unreadable_image")


WAYS: tuple[Callable[[int], Odd], ...] = (
    _truncated, _empty, _another_ending, _cmyk, _sixteen_bits, _clear_palette, _turned, _one_pixel, _very_wide,
    _animated, _text, _odd_name, _bomb, _svg, _heic,
)  # fmt: skip
ENDINGS = ("png", "jpg", "gif", "svg", "heic")


def pictures(n: int, n_odd: int) -> Iterator[Odd]:
    """So many files, of which ``n_odd`` are odd, each way as often; no two names are equal."""
    for number in range(n_odd):
        odd = WAYS[number % len(WAYS)](number)
        yield Odd(f"{number:04d} {odd.name}", odd.content, odd.reason, odd.looks)
    for number in range(n_odd, n):
        yield Odd(f"{number:04d}.png", saved(plain(number)), looks=plain(number))
