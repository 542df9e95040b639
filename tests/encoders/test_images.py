"""Pictures as people see them: upright, on white, 8 bits; and what a file may hold without being broken."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from equipoise.encoders import UnreadableItem, load_encoder
from equipoise.encoders.images import decode_image, image_size, quiet_pillow

ORIENTATION = 0x0112


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scene() -> Image.Image:
    """Nothing about it is symmetric."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :15] = (250, 0, 0)
    pixels[:10, 15:] = (0, 250, 0)
    pixels[10:, :15] = (0, 0, 250)
    return Image.fromarray(pixels)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_whatever_its_orientation_says(kind, orientation):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    content = saved(scene(), kind, exif=exif(orientation), **options)
    tagged = scene()
    tagged.getexif()[ORIENTATION] = orientation
    upright = ImageOps.exif_transpose(tagged)
    found = decode_image(content, "RGB")
    assert found.size == image_size(content) == upright.size == ((20, 30) if orientation > 4 else (30, 20))
    assert np.abs(np.asarray(found, int) - np.asarray(upright, int)).max() < 16


def test_a_picture_and_its_turned_twin_are_one_vector():
    encoder = load_encoder("pixels", size=16)
    twin = scene().transpose(Image.Transpose.ROTATE_90)
    contents = [saved(scene(), "PNG"), saved(twin, "PNG", exif=exif(6)), saved(twin, "PNG")]
    plain, tagged, turned = encoder.encode([encoder.decode(content) for content in contents])
    assert plain @ tagged > 0.999 > 0.9 > plain @ turned


def test_where_a_png_says_late_that_it_is_turned():
    content = saved(scene(), "PNG")
    end = content.index(b"IEND") - 4
    late = content[:end] + chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0")) + content[end:]
    assert decode_image(late, "RGB").size == image_size(late) == (20, 30)


@pytest.mark.parametrize("damaged", [b"Exif\0\0rubbish", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_damaged_exif_is_a_picture(kind, damaged):
    content = saved(scene(), kind, exif=damaged)
    assert decode_image(content, "RGB").size == image_size(content) == (30, 20)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_makes_no_sense_is_upright(orientation):
    content = saved(scene(), "JPEG", exif=exif(orientation))
    assert decode_image(content, "RGB").size == image_size(content) == (30, 20)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_picture_with_texts_beyond_pillows_limit_is_a_picture(is_late):
    plain = saved(scene(), "PNG")
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(b"x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1)))
    place = plain.index(b"IEND" if is_late else b"IDAT") - 4
    content = plain[:place] + text + plain[place:]
    with pytest.raises(ValueError, match="MAX_TEXT_CHUNK"), Image.open(io.BytesIO(content)) as image:
        image.load()
    assert np.array_equal(decode_image(content, "RGB"), scene()) and image_size(content) == (30, 20)


def test_what_is_transparent_is_white():
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    clear[0, 1] = (0, 0, 0, 51)  # a fifth of black over white
    expected = [[[10, 20, 30], [204, 204, 204]], [[255, 255, 255], [255, 255, 255]]]
    assert np.asarray(decode_image(saved(Image.fromarray(clear), "PNG"), "RGB")).tolist() == expected
    grey = Image.fromarray(np.array([[7, 90]], np.uint8))
    assert np.asarray(decode_image(saved(grey, "PNG", transparency=7), "L")).tolist() == [[255, 90]]
    palette = grey.convert("P")
    assert np.asarray(decode_image(saved(palette, "GIF", transparency=palette.getpixel((0, 0))), "L")).tolist() == [
        [255, 90]
    ]


def test_sixteen_bits_are_scaled():
    deep = Image.fromarray(np.array([[0, 256, 65535, 4000]], np.uint16))
    for content in (saved(deep, "PNG"), saved(deep, "TIFF"), b"P5 4 1 65535\n" + np.asarray(deep, ">u2").tobytes()):
        assert np.asarray(decode_image(content, "L")).tolist() == [[0, 1, 255, 15]]
    clear = saved(deep, "PNG")
    place = clear.index(b"IDAT") - 4
    clear = clear[:place] + chunk(b"tRNS", struct.pack(">H", 4000)) + clear[place:]
    assert np.asarray(decode_image(clear, "L")).tolist() == [[0, 1, 255, 255]]


@pytest.mark.parametrize("is_upright", [True, False])
@pytest.mark.parametrize("has_long_text", [False, True])
def test_the_transparent_colour_of_sixteen_bits_is_compared_with_all_of_them(has_long_text, is_upright):
    """Not with its high bytes alone, and not as if it had 8 bits: of three colours the first is transparent."""
    colours = [(4000, 8000, 12000), (4000, 8000, 12001), (15, 31, 46)]
    header = struct.pack(">IIBBBBB", 3, 1, 16, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"tRNS", struct.pack(">3H", *colours[0]))]
    if has_long_text:
        chunks.append(chunk(b"zTXt", b"note\0\0" + zlib.compress(b"x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))))
    if not is_upright:
        chunks.append(chunk(b"eXIf", exif(3).tobytes().removeprefix(b"Exif\0\0")))
    rows = zlib.compress(b"\0" + struct.pack(">9H", *(value for colour in colours for value in colour)))
    content = b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, chunk(b"IDAT", rows), chunk(b"IEND", b"")])
    expected = [[255, 255, 255], [15, 31, 46], [0, 0, 0]]
    found = np.asarray(decode_image(content, "RGB"))[0].tolist()
    assert found == (expected if is_upright else expected[::-1])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_is_the_picture(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.asarray(decode_image(content, "RGB"))[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), struct.error("cut"), SyntaxError("no")])
def test_whatever_an_image_raises_it_alone_is_unreadable(monkeypatch, error):
    def fails(image):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fails)
    with pytest.raises(UnreadableItem) as caught:
        decode_image(saved(scene(), "PNG"), "RGB")
    assert caught.value.reason == "unreadable_image"
    assert caught.value.detail.startswith(f"{type(error).__name__}: ")


def test_a_picture_beyond_pillows_limit_is_unreadable(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (image_size, lambda content: decode_image(content, "RGB")):
        with pytest.raises(UnreadableItem, match="DecompressionBombError"):
            read(saved(scene(), "PNG"))


def test_pixels_of_32_bits_have_no_range():
    with pytest.raises(UnreadableItem, match="no known range"):
        decode_image(saved(Image.new("F", (2, 2)), "TIFF"), "L")


def test_only_the_header_of_a_large_png_is_read(monkeypatch):
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda image: pytest.fail("decoded"))
    assert image_size(saved(scene(), "PNG")) == (30, 20)
    assert image_size(saved(scene(), "PNG", exif=exif(6))) == (20, 30)


def test_a_jpeg_may_be_decoded_at_a_fraction():
    content = saved(scene().resize((3000, 2000)), "JPEG", exif=exif(6))
    assert decode_image(content, "RGB", near=100).size == (250, 375) and image_size(content) == (2000, 3000)


def test_pillow_is_quiet_about_odd_pictures_in_any_thread(monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    odd = [saved(scene(), "PNG"), saved(scene(), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")]
    recwarn.clear()
    with quiet_pillow(), ThreadPoolExecutor(2) as threads:
        assert [image.size for image in threads.map(lambda content: decode_image(content, "L"), odd)] == [(30, 20)] * 2
    assert not recwarn.list
