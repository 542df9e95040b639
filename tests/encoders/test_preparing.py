"""How pictures become what models read: by hand, and as torchvision does it where that is installed."""

import io

import numpy as np
import pytest
from PIL import Image

from equipoise.encoders import encoder_options
from equipoise.encoders.preparing import LONGEST, Preparation
from equipoise.errors import ConfigError


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_square_is_skewed_and_averages_what_falls_into_a_pixel():
    stripes = np.zeros((4, 8, 3))
    stripes[:, 4:] = 100
    found = Preparation(size=2).pixels(png(stripes))
    assert found.shape == (2, 2, 3) and found.dtype == np.uint8
    expected = np.asarray(Image.fromarray(stripes.astype(np.uint8)).resize((2, 2), Image.Resampling.BILINEAR))
    assert np.array_equal(found, expected) and (found[:, 0] < 25).all() and (found[:, 1] > 75).all()


@pytest.mark.parametrize(
    "height, width, wanted", [(10, 15, (4, 6)), (15, 10, (6, 4)), (7, 10, (4, 5)), (10, 10, (4, 4))]
)
def test_the_shortest_side_keeps_the_proportions(height, width, wanted):
    found = Preparation(size=4, resize="shortest_side").pixels(png(noise(height, width)))
    assert found.shape == (*wanted, 3)


def test_a_crop_is_the_middle():
    picture = noise(4, 8)
    found = Preparation(size=4, resize="shortest_side", crop=2).pixels(png(picture))
    assert np.array_equal(found, picture[1:3, 3:5])


def test_of_a_line_the_middle_is_taken():
    line = noise(2, 5000)
    found = Preparation(size=2, resize="shortest_side").pixels(png(line))
    begin = 2500 - LONGEST
    assert np.array_equal(found, line[:, begin : begin + 2 * LONGEST])
    assert Preparation(size=2).pixels(png(line)).shape == (2, 2, 3)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"size": 0}, "size is 0: input should be greater than 0"),
        ({"size": 5000}, "size is 5000: input should be less than or equal to 4096"),
        ({"size": 2.5}, "size is 2.5: input should be a valid integer"),
        ({"size": True}, "size is True: input should be a valid integer"),
        ({"size": 4, "resize": "longest"}, "resize is 'longest': input should be 'square' or 'shortest_side'"),
        ({"size": 4, "std": (1, 0, 1)}, "std is (1, 0, 1): input should be greater than 0"),
        ({"size": 4, "mean": (1, 0)}, "mean is (1, 0): field required"),
        ({"size": 4, "crop": 5}, "crop is 5, beyond the size, 4, to which a picture is resized before"),
    ],
)
def test_an_option_out_of_range_is_named(options, said):
    with pytest.raises(ConfigError) as caught:
        Preparation.of({**options, "half": True}, encoder="torchscript:a.pt")
    assert str(caught.value) == f"encoder torchscript:a.pt: {said}"


def test_an_encoder_has_every_option_of_a_preparation():
    declared = encoder_options("torchscript:a.pt")
    for name, option in Preparation.model_fields.items():
        assert name == "size" or declared[name].default == option.default


@pytest.mark.parametrize(
    "encoder, own, size",
    [
        ("torchscript:a.pt", set(), 320),
        ("timm:a", {"pool", "checkpoint", "revision"}, None),
        ("open_clip:a/b", {"checkpoint", "revision"}, None),
        ("torchhub:a/b:c", {"arguments", "trust_remote_code", "revision"}, 256),
        ("dino-checkpoint:a.pth", {"pool", "network", "heads"}, 256),
    ],
)
def test_options_of_a_family_are_its_own_and_those_that_all_share(encoder, own, size):
    declared = encoder_options(encoder)
    assert declared.keys() == own | Preparation.model_fields.keys() | {"normalise", "half"}
    assert declared["size"].default == size


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(61, 97), (97, 61), (50, 50), (33, 64)])
@pytest.mark.parametrize(
    "resize, crop", [("square", None), ("shortest_side", None), ("shortest_side", 41), ("square", 40)]
)
def test_it_is_as_torchvision_does_it(interpolation, shape, resize, crop):
    """To the bit, with the scaling of the model's side."""
    transforms = pytest.importorskip("torchvision.transforms")
    torch = pytest.importorskip("torch")
    from equipoise.encoders.torch_models import torch_image_model

    mode = transforms.InterpolationMode[interpolation.upper()]
    steps = [transforms.Resize(48 if resize == "shortest_side" else (48, 48), mode)]
    steps += [transforms.CenterCrop(crop)] if crop else []
    preparation = Preparation(size=48, resize=resize, crop=crop, interpolation=interpolation)
    steps += [transforms.ToTensor(), transforms.Normalize(preparation.mean, preparation.std)]
    expected = transforms.Compose(steps)(Image.fromarray(noise(*shape))).flatten()
    model = torch_image_model(
        lambda pictures: pictures.flatten(1),
        encoder="e", device=torch.device("cpu"), preparation=preparation, half=False,
    )  # fmt: skip
    (found,) = model.vectors([preparation.pixels(png(noise(*shape)))])
    assert np.array_equal(found, expected.numpy())
