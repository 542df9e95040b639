"""Pictures that are arrays: as every encoder of images reads them, by hand and as torchvision does."""

import io

import numpy as np
import pytest
from PIL import Image

from equipoise.encoders import UnreadableItem, load_encoder
from equipoise.encoders.arrays import decode_array
from equipoise.encoders.images import decode_image, decode_picture, image_size
from equipoise.encoders.preparing import IMAGENET_MEAN, IMAGENET_STD, Preparation
from equipoise.report.thumbnails import THUMBNAIL_SIDE, preview


def npy(array):
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def noise(*shape):
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def test_the_size_is_that_of_the_window():
    assert image_size(npy(noise(3, 5))) == (5, 3) and image_size(npy(noise(3, 5, 4))) == (5, 3)


def test_grey_is_there_three_times_and_colours_have_their_luma():
    grey, colours = noise(2, 3), noise(2, 3, 3)
    np.testing.assert_array_equal(decode_array(npy(grey), "RGB"), np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(decode_array(npy(grey), "L"), grey[..., None])
    np.testing.assert_array_equal(decode_array(npy(colours), "RGB"), colours)
    luma = 0.299 * colours[..., 0] + 0.587 * colours[..., 1] + 0.114 * colours[..., 2]
    np.testing.assert_allclose(np.asarray(decode_array(npy(colours), "L"))[..., 0], luma, rtol=1e-5)


def test_in_8_bits_it_is_the_picture_that_a_file_would_be():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    found = decode_image(npy(pixels / np.float32(255)), "RGB")
    assert np.array_equal(np.asarray(found), pixels) and found.mode == "RGB"
    assert decode_image(npy(noise(4, 5)), "L").mode == "L"


@pytest.mark.parametrize(
    "content, said",
    [
        (b"\x93NUMPY", "ValueError"),
        (npy(noise(2, 2))[:-4], "ValueError"),
        (npy(np.array([[{}]], object)), "ValueError"),
        (npy(noise(4)), r"it holds float32 of \(4,\)"),
        (npy(np.zeros((2, 2), np.uint8)), "it holds uint8"),
        (npy(noise(0, 2)), r"of \(0, 2\)"),
        (npy(noise(2, 2) - 1), "its values are from -.*; those of a picture from 0 to 1"),
        (npy(np.full((2, 2), np.nan, np.float32)), "its values are from nan"),
    ],
)
def test_what_is_no_picture_says_so(content, said):
    for read in (image_size, lambda content: decode_picture(content, "RGB")):
        with pytest.raises(UnreadableItem, match=said) as caught:
            read(content)
        assert caught.value.reason == "unreadable_array"


def test_other_numbers_of_channels_are_refused_with_the_way_out():
    with pytest.raises(
        UnreadableItem, match=r"it has 5 channels; models of pictures read 1 or 3: .* take: \[2, 1, 0\]"
    ):
        Preparation(size=2).pixels(npy(noise(4, 4, 5)))


def test_pixels_give_floats_the_direction_of_the_same_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    encoder = load_encoder("pixels", size=12)
    one, other = encoder.encode(
        [encoder.decode(content) for content in (file.getvalue(), npy(pixels / np.float32(255)))]
    )
    np.testing.assert_allclose(one, other, atol=1e-7)
    shrunk = load_encoder("pixels", size=2, mode="L")
    found = shrunk.encode([shrunk.decode(npy(noise(4, 4)))])[0].reshape(2, 2)
    wanted = np.asarray(Image.fromarray(noise(4, 4)).resize((2, 2), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), rtol=1e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "given, shape", [({"resize": "square"}, (37, 51, 3)), ({"resize": "shortest_side", "crop": 20}, (51, 37))]
)
def test_floats_are_prepared_as_torchvision_prepares_a_float_tensor(given, shape, interpolation):
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchvision.transforms.v2")
    array = noise(*shape)
    found = Preparation(size=24, interpolation=interpolation, **given).pixels(npy(array))
    layers = array[..., None] if array.ndim == 2 else array
    tensor = torch.from_numpy(layers).permute(2, 0, 1).expand(3, -1, -1)
    size = [24, 24] if given["resize"] == "square" else 24
    mode = transforms.InterpolationMode(interpolation)
    steps = [transforms.Resize(size, mode, antialias=True)]
    steps += [transforms.CenterCrop(given["crop"])] if "crop" in given else []
    wanted = transforms.Compose(steps)(tensor).permute(1, 2, 0).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found / 255, wanted, atol=2e-6)


def test_a_model_is_given_floats_beside_pictures_of_8_bits():
    torch = pytest.importorskip("torch")
    from equipoise.encoders.torch_models import torch_image_model

    prepared = Preparation(size=2)
    device = torch.device("cpu")
    model = torch_image_model(
        lambda given: given.mean(dim=(2, 3)), encoder="e", device=device, preparation=prepared, half=False
    )
    colour = np.array([0.25001, 0.5, 0.75], np.float32)  # between two of 8 bits
    file = io.BytesIO()
    Image.new("RGB", (2, 2), (255, 0, 51)).save(file, "PNG")
    floats = npy(np.broadcast_to(colour, (2, 2, 3)))
    found = model.vectors([prepared.pixels(content) for content in (floats, file.getvalue(), floats)])
    scaled = (np.array([colour, [1, 0, 0.2]]) - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(found, scaled[[0, 1, 0]], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (5,)])
def test_a_page_shows_windows_of_any_number_of_channels(channels):
    thumbnail, text = preview(npy(noise(100, 50, *channels)), most_bytes=10_000)
    picture = Image.open(io.BytesIO(thumbnail))
    assert text is None and picture.size == (THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE)
    colours = np.asarray(picture.convert("RGB")).astype(int)
    is_grey = np.abs(colours - colours.mean(axis=2, keepdims=True)).max() < 12
    assert is_grey == (channels != (3,))
