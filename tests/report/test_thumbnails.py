"""What a page shows of an item."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from equipoise.report.contact_sheet import contact_sheet
from equipoise.report.thumbnails import SNIPPET_LENGTH, THUMBNAIL_SIDE, fitted, is_image_name, preview, snippet


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def shown(thumbnail: bytes) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail))


@pytest.mark.parametrize("most_bytes", [4000, 1000, 300])
def test_a_thumbnail_fits_its_bytes_whatever_it_shows(most_bytes):
    for content in (encoded(noise(500, 300, 3), "JPEG"), encoded(noise(20, 20))):
        thumbnail, text = preview(content, most_bytes=most_bytes)
        assert len(thumbnail) <= most_bytes and text is None


def test_a_thumbnail_keeps_the_shape_and_a_scan_its_pixels():
    thumbnail, _ = preview(encoded(noise(300, 600, 3)), most_bytes=10**6)
    assert shown(thumbnail).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)
    scan = noise(8, 8)
    thumbnail, _ = preview(encoded(scan), most_bytes=10**6)
    assert np.array_equal(np.asarray(shown(thumbnail).convert("L")), np.kron(scan, np.ones((9, 9), np.uint8)))


def test_what_is_neither_image_nor_text_shows_nothing():
    assert preview(bytes(range(256)), most_bytes=10**6) == (None, None)
    truncated = encoded(noise(300, 300, 3))[:500]
    assert preview(truncated, most_bytes=10**6) == (None, None)
    assert fitted(b"", 10) is None


@given(st.text(max_size=3 * SNIPPET_LENGTH))
def test_a_snippet_is_short_one_line_and_of_plain_characters(text):
    made = snippet(text)
    assert len(made) <= SNIPPET_LENGTH
    assert not any(mark in made for mark in "\n\r\t\0\x1b\u202e\u2066")


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_text_is_shown_from_its_beginning(text):
    content = (text * 400).encode()
    assert preview(content, most_bytes=10**6) == (None, snippet(text * 400))


def test_marks_that_turn_text_around_are_left_out():
    assert snippet("a\u202eb\x00c\n\n d") == "a b c d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a.JPG", True), ("/data/a b.webp", True), ("a dog.png", True),
        ("a text.", False), ("/data/a.pdf", False), ("/data/a.txt", False), ("", False), ("x" * 10_000 + ".png", False),
    ],
)  # fmt: skip
def test_a_name_of_an_image_ends_like_one_that_can_be_read(text, expected):
    assert is_image_name(text) is expected


@pytest.mark.parametrize("shape", [(1, 145), (300, 1), (2, 30_000), (9000, 7), (1, 1)])
def test_a_picture_however_long_has_a_thumbnail(shape):
    thumbnail, _ = preview(encoded(noise(*shape)), most_bytes=10**6)
    assert max(shown(thumbnail).size) == THUMBNAIL_SIDE and min(shown(thumbnail).size) >= 1
    thumbnail, _ = preview(encoded(noise(*shape)), most_bytes=1)
    assert min(shown(thumbnail).size) >= 1


def test_a_thumbnail_is_upright():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(300, 600, 3)).save(file, "JPEG", exif=exif)
    thumbnail, _ = preview(file.getvalue(), most_bytes=10**6)
    assert shown(thumbnail).size == (THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE)


@pytest.mark.parametrize("step", ["load", "resize", "save"])
@pytest.mark.parametrize("error", [MemoryError, RecursionError, SyntaxError, KeyError])
def test_a_picture_that_cannot_be_shown_has_no_thumbnail_whatever_it_raises(monkeypatch, step, error):
    def fails(*arguments, **options):
        raise error("can't allocate picture frame")

    content = encoded(noise(300, 300))
    monkeypatch.setattr(PngImageFile if step == "load" else Image.Image, step, fails)
    assert preview(content, most_bytes=10**6) == (None, None)


def test_a_contact_sheet_leaves_the_cells_of_such_pictures_empty():
    contents = [encoded(noise(1, 3000)), b"no image", encoded(noise(300, 300))[:400], b""]
    assert shown(contact_sheet({"some": contents})).format == "PNG"
