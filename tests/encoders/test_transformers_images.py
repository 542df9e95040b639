"""``transformers:MODEL`` of images: as the library's own pipeline has it."""

import io
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
tf = pytest.importorskip("transformers")
pytest.importorskip("torchvision")

import hugging_faces as hf  # noqa: E402
from encoded import file_of  # noqa: E402
from equipoise.encoders import UnreadableItem, check_encoder, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

MAKERS = {made.__name__: made for made in (hf.dinov2, hf.registers, hf.dinov3, hf.clip, hf.siglip, hf.resnet)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The encoder of each kind of model."""
    folder = tmp_path_factory.mktemp("models")
    return {name: made(folder / name) for name, made in MAKERS.items()}


@pytest.fixture(scope="module")
def photos():
    """Real ones, wide and tall."""
    data = pytest.importorskip("skimage.data")
    return [Image.fromarray(data.coffee()), Image.fromarray(data.astronaut()[:, 100:300])]


def own_pipeline(name, photos):
    """The library's processor and model, as its documents have them: what the model gives of a picture."""
    place = name.removeprefix("transformers:")
    processor, model = tf.AutoImageProcessor.from_pretrained(place), tf.AutoModel.from_pretrained(place).eval()
    given = torch.cat([processor(images=photo, return_tensors="pt")["pixel_values"] for photo in photos])
    with torch.no_grad():
        return given, model, model.get_image_features(given) if hasattr(model, "get_image_features") else model(given)


def encoded(name, photos, **options):
    check_encoder(name, options)
    encoder = load_encoder(name, **{"normalise": False, **options})
    return encoder.encode([encoder.decode(file_of(photo)) for photo in photos])


@pytest.mark.parametrize("which", sorted(MAKERS))
def test_by_default_it_gives_what_the_librarys_own_pipeline_gives(models, photos, which):
    given, _, output = own_pipeline(models[which], photos)
    encoder = load_encoder(models[which], normalise=False)
    items = [encoder.decode(file_of(photo)) for photo in photos]
    np.testing.assert_allclose(items, given.numpy(), atol=1e-5)
    found = encoder.encode(items)
    assert found.dtype == np.float32 and encoder.kind == encoder_kind(models[which], {}) == "images"
    np.testing.assert_allclose(found, output.pooler_output.flatten(1).numpy(), atol=1e-5)


@pytest.mark.parametrize("which, n_first", [("dinov2", 1), ("registers", 4), ("dinov3", 5), ("siglip", 0)])
def test_the_patches_are_those_without_cls_and_registers(models, photos, which, n_first):
    state = own_pipeline(models[which], photos)[2].last_hidden_state
    assert state.shape[1] == n_first + 16
    expected = {"cls": state[:, 0], "mean": state[:, n_first:].mean(1)}
    expected["cls_mean"] = torch.cat([expected["cls"], expected["mean"]], 1)
    for pool in ("mean", "cls", "cls_mean") if n_first else ("mean",):
        np.testing.assert_allclose(encoded(models[which], photos, pool=pool), expected[pool], atol=1e-5)
    for pool in () if n_first else ("cls", "cls_mean"):
        with pytest.raises(ConfigError, match=f"has nothing for pool: {pool}; it has pooled, mean"):
            encoded(models[which], photos, pool=pool)


def test_of_clip_pooled_is_the_tower_before_the_projection(models, photos):
    given, model, _ = own_pipeline(models["clip"], photos)
    with torch.no_grad():
        tower = model.vision_model(given)
    assert encoded(models["clip"], photos).shape == (2, 16)
    np.testing.assert_allclose(encoded(models["clip"], photos, pool="pooled"), tower.pooler_output, atol=1e-5)
    np.testing.assert_allclose(encoded(models["clip"], photos, pool="cls"), tower.last_hidden_state[:, 0], atol=1e-5)


def test_of_a_convolutional_net_the_mean_is_over_its_places(models, photos):
    state = own_pipeline(models["resnet"], photos)[2].last_hidden_state
    np.testing.assert_allclose(encoded(models["resnet"], photos, pool="mean"), state.mean((2, 3)), atol=1e-5)


def test_without_weights_for_its_pooler_the_cls_token_is_taken(tmp_path, photos):
    torch.manual_seed(0)
    model = tf.ViTModel(tf.ViTConfig(**hf.VISION, image_size=32, patch_size=8), add_pooling_layer=False)
    name = hf.saved(model, tmp_path / "vit", tf.ViTImageProcessor(size={"height": 32, "width": 32}))
    state = own_pipeline(name, photos)[2].last_hidden_state
    np.testing.assert_allclose(encoded(name, photos), state[:, 0], atol=1e-5)
    with pytest.raises(ConfigError, match="has nothing for pool: pooled; it has cls, cls_mean, mean"):
        encoded(name, photos, pool="pooled")


def test_vectors_are_of_length_one(models, photos):
    found = encoded(models["dinov2"], photos, normalise=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_threads_decode_alike(models, photos):
    encoder = load_encoder(models["dinov2"])
    contents = [file_of(photo) for photo in photos] * 10
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(encoder.decode, contents))
    for content, item in zip(contents, found, strict=True):
        assert np.array_equal(encoder.decode(content), item)


def test_grey_and_odd_pictures_are_pictures_and_broken_ones_are_not(models, photos):
    encoder = load_encoder(models["dinov2"])
    odd = [photos[0].convert("L"), photos[0].convert("RGBA"), Image.new("RGB", (1, 1)), Image.new("RGB", (30_000, 2))]
    assert encoder.encode([encoder.decode(file_of(image)) for image in odd]).shape == (4, 32)
    with pytest.raises(UnreadableItem, match="unreadable_image"):
        encoder.decode(b"no picture")


@pytest.mark.parametrize("which", ["dinov2", "siglip"])
def test_of_an_array_nothing_is_rounded(models, which):
    array = np.random.default_rng(0).uniform(0.4, 0.6, (70, 90, 3)).astype(np.float32)
    file = io.BytesIO()
    np.save(file, array)
    processor = tf.AutoImageProcessor.from_pretrained(models[which].removeprefix("transformers:"))
    floats = torch.from_numpy(array * 255).permute(2, 0, 1)
    rounded = np.rint(array * 255).astype(np.uint8)
    exact, near = (processor(images=one, return_tensors="pt")["pixel_values"][0].numpy() for one in (floats, rounded))
    found = load_encoder(models[which]).decode(file.getvalue())
    np.testing.assert_allclose(found, exact, atol=1e-6)
    assert 0 < np.abs(found - near).max() < 0.05


def test_pictures_that_do_not_fit_into_the_memory_go_in_parts(models, photos, monkeypatch, caplog):
    encoder = load_encoder(models["dinov2"])
    items = [encoder.decode(file_of(photo)) for photo in photos] * 3
    expected, pooled = encoder.encode(items), encoder._reader._pooled

    def hungry(given):
        if len(given) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return pooled(given)

    monkeypatch.setattr(encoder._reader, "_pooled", hungry)
    with caplog.at_level(logging.WARNING, "equipoise"):
        np.testing.assert_allclose(encoder.encode(items), expected, atol=1e-5)
    assert f"encoder {models['dinov2']}: 6 pictures at once do not fit" in caplog.text


def test_weights_of_another_model_are_refused(tmp_path):
    """The library would give random numbers to what is missing."""
    name = hf.dinov2(tmp_path / "model")
    tf.Dinov2Config(**{**hf.VISION, "num_hidden_layers": 3}, image_size=56, patch_size=14).save_pretrained(
        tmp_path / "model"
    )
    with pytest.raises(ConfigError, match=r"its files lack \d+ of the model's weights, encoder\.layer\.2"):
        load_encoder(name)


def test_a_processor_that_makes_something_else_is_refused(tmp_path):
    name = hf.siglip(tmp_path / "model")
    tf.ViltImageProcessor(size={"shortest_edge": 32}).save_pretrained(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"its processor makes .*pixel_mask of"):
        load_encoder(name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("half, tolerance", [(False, 1e-3), (True, 2e-2)])
def test_a_gpu_gives_what_the_cpu_gives(models, photos, monkeypatch, half, tolerance):
    on_gpu = encoded(models["dinov2"], photos, half=half, normalise=True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    np.testing.assert_allclose(on_gpu, encoded(models["dinov2"], photos, normalise=True), atol=tolerance)
