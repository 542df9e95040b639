"""``torchscript:FILE``: any TorchScript model of images."""

import io
import logging
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402
from torchscripts import Counts, Fixed, Flat, Hungry, Means, Pair, Picky, Whole, saved  # noqa: E402

RAW = {"size": 4, "mean": (0, 0, 0), "std": (1, 1, 1), "normalise": False}
"""Numbers from 0 to 1 as they are."""


def png(colour, size=(4, 4)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def encoded(name, *contents, **options):
    encoder = load_encoder(name, **options)
    return encoder.encode([encoder.decode(content) for content in contents])


@pytest.fixture
def means(tmp_path):
    return saved(Means(), tmp_path / "means.pt")


def test_the_model_is_given_scaled_numbers_and_its_vectors_come_back(means):
    found = encoded(means, png((255, 0, 51)), png((0, 102, 0)), **RAW)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[1, 0, 0.2], [0, 0.4, 0]], rtol=1e-6)
    shifted = encoded(means, png((255, 0, 51)), **{**RAW, "mean": [0.5, 0.5, 0], "std": [0.5, 2, 0.1]})
    np.testing.assert_allclose(shifted, [[1, -0.25, 2]], rtol=1e-6)


def test_vectors_are_of_length_one_and_zeros_stay_zeros(means):
    found = encoded(means, png((153, 204, 0)), png("black"), **{**RAW, "normalise": True})
    np.testing.assert_allclose(found, [[0.6, 0.8, 0], [0, 0, 0]], rtol=1e-6)


def test_by_default_pictures_are_prepared_as_for_sscd(means):
    encoder = load_encoder(means, normalise=False)
    assert encoder.decode(png("white", (30, 10))).shape == (320, 320, 3)
    white = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(encoder.encode([encoder.decode(png("white"))]), [white], rtol=1e-5)
    smaller = load_encoder(means, size=288, resize="shortest_side")
    assert smaller.decode(png("white", (30, 10))).shape == (288, 864, 3)


def test_pictures_of_several_sizes_keep_their_order(means):
    greys = np.arange(0, 250, 10, dtype=np.uint8)
    contents = [png((int(grey),) * 3, (4 + place % 3, 4)) for place, grey in enumerate(greys)]
    found = encoded(means, *contents, **RAW, resize="shortest_side")
    np.testing.assert_allclose(found[:, 0], greys / 255, rtol=1e-5)


def test_what_does_not_fit_into_the_memory_goes_in_parts_and_is_told_once(tmp_path, caplog):
    name = saved(Hungry(3), tmp_path / "hungry.pt")
    contents = [png((grey, 0, 0)) for grey in range(20)]
    with caplog.at_level(logging.WARNING, "equipoise"):
        found = encoded(name, *contents, **RAW)
    np.testing.assert_allclose(found[:, 0], np.arange(20) / 255, rtol=1e-5)
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"encoder {name}: 8 pictures at once do not fit into the memory of cpu" in told


def test_a_model_that_no_picture_fits_beside_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot take a picture of 4 x 4 pixels \(.*memory.*\); take a smaller size"):
        encoded(saved(Hungry(0), tmp_path / "hungry.pt"), png("red"), png("blue"), **RAW)


@pytest.mark.parametrize(
    "module, said",
    [
        (Whole(), r"of 2 pictures the model gives float32 of \(2, 3, 4, 4\); it must be floats of \(2, d\)"),
        (Counts(), r"of 2 pictures the model gives int32 of \(2, 3\); it must be floats"),
        (Pair(), r"of 2 pictures the model gives a tuple; it must be floats"),
        (Fixed(), r"cannot take a picture of 4 x 4 pixels \(.*shapes cannot be multiplied.*\); see size and crop"),
    ],
)
def test_what_the_model_does_wrong_is_named(tmp_path, module, said):
    name = saved(module, tmp_path / "wrong.pt")
    with pytest.raises(ConfigError, match=said) as caught:
        encoded(name, png("red"), png("blue"), **RAW)
    assert str(caught.value).startswith(f"encoder {name}: ") and "\n" not in str(caught.value)


def test_vectors_that_grow_with_the_picture_are_refused(tmp_path):
    name, contents = saved(Flat(), tmp_path / "flat.pt"), [png("red"), png("blue", (8, 4))]
    with pytest.raises(ConfigError, match="gives vectors of 48 and of 96 numbers, by the size of the picture"):
        encoded(name, *contents, **RAW, resize="shortest_side")
    assert encoded(name, *contents, **RAW).shape == (2, 48)


def test_a_picture_that_the_model_does_not_take_is_its_own_fault(tmp_path):
    """Then a batch is taken item by item, and it alone is rejected."""
    name = saved(Picky(), tmp_path / "picky.pt")
    with pytest.raises(Exception, match="nothing to see") as caught:
        encoded(name, png("red"), png("white"), **RAW)
    assert not isinstance(caught.value, ConfigError)
    assert encoded(name, png("red"), **RAW).shape == (1, 3)


def test_the_id_is_of_the_bytes_and_options_wherever_the_file_lies(tmp_path, means):
    again = saved(Means(), tmp_path / "again.pt")
    (tmp_path / "moved").mkdir()
    moved = tmp_path / "moved/means.pt"
    moved.write_bytes((tmp_path / "means.pt").read_bytes())
    before = encoder_id(means, {})
    assert before.startswith("torchscript-means.pt-")
    assert encoder_id(f"torchscript:{moved}", {}) == before == encoder_id(means, {"size": 320})
    assert encoder_id(means, {"size": None, "crop": None, "half": None}) == before  # null is the default
    assert encoder_id(means, {"mean": [0.485, 0.456, 0.406]}) == before != encoder_id(means, {"mean": [0, 0, 0]})
    assert encoder_id(means, {"size": 288}) != before != encoder_id(again, {})
    saved(Flat(), moved)
    assert encoder_id(f"torchscript:{moved}", {}) != before


def bad_files(folder):
    (folder / "text.pt").write_text("weights")
    torch.save({"weight": torch.zeros(2)}, folder / "weights.pt")
    return [
        ("none.pt", "none.pt does not exist; name the model's file, under a path that driver and executors see"),
        (".", "is a folder"),
        ("x" * 300, "name the model's file"),
        ("text.pt", "text.pt is no TorchScript; weights alone are none"),
        ("weights.pt", "weights.pt is no TorchScript; weights alone are none"),
    ]


def test_a_file_that_is_no_model_is_refused_before_any_work(tmp_path):
    for path, said in bad_files(tmp_path):
        name = f"torchscript:{tmp_path / path}"
        for ask in (load_encoder, lambda name: check_encoder(name, {}), lambda name: encoder_id(name, {})):
            with pytest.raises(ConfigError) as caught:
                ask(name)
            assert said in str(caught.value)


def test_a_damaged_model_is_refused_with_the_reason(tmp_path, means):
    path = tmp_path / "means.pt"
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, b"" if name.endswith("data.pkl") else content)
    with pytest.raises(ConfigError, match=f"encoder {means} cannot be loaded: "):
        load_encoder(means)


def test_without_torch_the_extra_is_named(monkeypatch, means):
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    for ask in (load_encoder, lambda name: check_encoder(name, {})):
        with pytest.raises(ConfigError, match=r"needs the library torch: pip install 'equipoise\[torch\]'"):
            ask(means)


def test_it_reads_images_and_has_to_be_told_which():
    assert encoder_kind("torchscript:any.pt", {}) == "images"
    with pytest.raises(ConfigError, match=r"does not say which; write torchscript:<file>"):
        load_encoder("torchscript")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("half, tolerance", [(False, 1e-3), (True, 1e-2)])
def test_a_gpu_gives_what_the_cpu_gives(tmp_path, monkeypatch, half, tolerance):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 8, 3), Means())
    name = saved(layers, tmp_path / "layers.pt")
    contents = [png((grey, 255 - grey, 40), (32, 32)) for grey in range(0, 250, 10)]
    on_gpu = encoded(name, *contents, size=32, half=half, gpu=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    np.testing.assert_allclose(on_gpu, encoded(name, *contents, size=32, half=half), atol=tolerance)
