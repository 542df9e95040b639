"""``open_clip:MODEL``: as open_clip itself prepares pictures and encodes them, by small models with random weights."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

from open_clip.pretrained import _PRETRAINED  # noqa: E402

from encoded import encoded, file_of, photograph  # noqa: E402
from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

RAW = {"normalise": False}
ARCHITECTURE = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1},
}
SQUASHED = {"mean": (0.5,) * 3, "std": (0.4,) * 3, "interpolation": "bilinear", "resize_mode": "squash"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of open_clip's list, with weights in a file; returns its name and the file."""
    folder = tmp_path_factory.mktemp("open_clip")
    (folder / "tiny-clip.json").write_text(json.dumps(ARCHITECTURE))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-clip").state_dict(), folder / "weights.pt")
    return "tiny-clip", str(folder / "weights.pt")


@pytest.fixture
def tags(monkeypatch, tiny):
    """Two sets of weights of it that open_clip knows of."""
    plain = {"url": "", "hf_hub": "org/plain/", "quick_gelu": True}
    monkeypatch.setitem(_PRETRAINED, "tiny-clip", {"plain": plain, "squashed": {"hf_hub": "org/s/w.bin", **SQUASHED}})


@pytest.fixture
def folder(tmp_path, tiny):
    """As open_clip publishes a model."""
    place = tmp_path / "model"
    place.mkdir()
    (place / "open_clip_config.json").write_text(json.dumps({"model_cfg": ARCHITECTURE, "preprocess_cfg": SQUASHED}))
    torch.save(torch.load(tiny[1]), place / "open_clip_pytorch_model.bin")
    return place


def theirs(*name, **arguments):
    """The vector of the photograph, by open_clip's own means."""
    model, _, transform = open_clip.create_model_and_transforms(*name, **arguments)
    with torch.inference_mode():
        return model.eval().encode_image(transform(photograph())[None])[0].numpy()


def test_it_is_as_open_clip_does_it(tiny):
    name, file = tiny
    found = encoded(f"open_clip:{name}", file_of(photograph()), checkpoint=file, **RAW)
    assert found.dtype == np.float32 and found.shape == (1, 16)
    np.testing.assert_allclose(found[0], theirs(name, file), atol=1e-5)
    unit = encoded(f"open_clip:{name}", file_of(photograph()), checkpoint=file)
    np.testing.assert_allclose(unit[0], found[0] / np.linalg.norm(found[0]), atol=1e-5)


def test_position_embeddings_fit_the_size_that_is_asked_for(tiny):
    name, file = tiny
    found = encoded(f"open_clip:{name}", file_of(photograph()), checkpoint=file, size=96, crop=96, **RAW)
    np.testing.assert_allclose(found[0], theirs(name, file, force_image_size=96), atol=1e-5)


def test_a_folder_has_its_own_preparation_and_is_known_by_its_files(folder, tmp_path):
    name = f"open_clip:local-dir:{folder}"
    expected = theirs(f"local-dir:{folder}")
    np.testing.assert_allclose(encoded(name, file_of(photograph()), **RAW)[0], expected, atol=1e-5)
    assert load_encoder(name).preparation.resize == "square"
    before, moved = encoder_id(name, {}), folder.rename(tmp_path / "moved")
    assert encoder_id(f"open_clip:local-dir:{moved}", {}).split("-")[-1] == before.split("-")[-1]
    (moved / "open_clip_config.json").write_text("{}")
    assert encoder_id(f"open_clip:local-dir:{moved}", {}).split("-")[-1] != before.split("-")[-1]


def test_a_tag_says_how_pictures_are_prepared_and_which_function_the_model_has(tiny, tags, monkeypatch):
    name, file = tiny
    asked = []

    def download(repository, *, filename, revision):
        asked.append((repository, filename, revision))
        return file

    monkeypatch.setattr("open_clip.pretrained.download_pretrained_from_hf", download)
    monkeypatch.setattr("equipoise.encoders.open_clip.is_cached", lambda *_, **__: True)
    contents = file_of(photograph())
    squashed = encoded(f"open_clip:{name}/squashed", contents, revision="abc", **RAW)
    forced = {"image_mean": (0.5,) * 3, "image_std": (0.4,) * 3, "image_interpolation": "bilinear"}
    np.testing.assert_allclose(squashed[0], theirs(name, file, image_resize_mode="squash", **forced), atol=1e-5)
    plain = encoded(f"open_clip:{name}/plain", contents, **RAW)
    np.testing.assert_allclose(plain[0], theirs(name, file, force_quick_gelu=True), atol=1e-5)
    assert asked == [("org/s", "w.bin", "abc"), ("org/plain", None, None)]
    own = encoded(f"open_clip:{name}/squashed", contents, checkpoint=file, **RAW)
    np.testing.assert_array_equal(own, squashed)


def test_a_revision_of_a_name_of_the_hub_is_what_is_fetched(folder, monkeypatch):
    hub, asked = pytest.importorskip("huggingface_hub"), []

    def fetched(repository, *rest, revision, **options):
        asked.append((repository, revision))
        return str(folder / rest[0]) if rest else str(folder)

    monkeypatch.setattr(hub, "hf_hub_download", fetched)
    monkeypatch.setattr(hub, "snapshot_download", fetched)
    monkeypatch.setattr("equipoise.encoders.open_clip.is_cached", lambda *_, **__: True)
    found = encoded("open_clip:hf-hub:org/model", file_of(photograph()), revision="abc", **RAW)
    np.testing.assert_allclose(found[0], theirs(f"local-dir:{folder}"), atol=1e-5)
    assert set(asked) == {("org/model", "abc")}


def test_weights_of_another_model_do_not_fit(tiny, tmp_path):
    torch.save({"visual.proj": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=r"open_clip:tiny-clip cannot be loaded: .*state_dict.*Missing key") as caught:
        load_encoder("open_clip:tiny-clip", checkpoint=str(tmp_path / "other.pt"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "model, options, said",
    [
        ("ViT-B-33/openai", {}, r"open_clip has no model 'ViT-B-33'; did you mean 'ViT-B-\d\d'\?"),
        ("ViT-B-32/laion2b_s34b", {}, "has no weights 'laion2b_s34b' of ViT-B-32; did you mean 'laion2b_s34b_b79k'?"),
        ("tiny-clip", {}, "write one of tiny-clip/plain, tiny-clip/squashed, or name a file: checkpoint"),
        ("ViT-S-32", {}, "does not say which weights: "),
        ("tiny-clip", {"checkpoint": "none.pt"}, "the file none.pt does not exist"),
        ("tiny-clip", {"checkpoint": "HERE", "crop": 65}, "crop is 65, beyond the size, 64"),
        ("tiny-clip", {"checkpoint": "HERE", "revision": "abc"}, "revision is 'abc'; it is of models of the hub"),
        ("hf-hub:org/model", {"checkpoint": "HERE"}, "brings its weights: drop checkpoint"),
        ("local-dir:/no/such", {}, "the folder /no/such does not exist"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(tiny, tags, model, options, said):
    given = {name: tiny[1] if value == "HERE" else value for name, value in options.items()}
    for ask in (check_encoder, lambda name, given: load_encoder(name, **given)):
        with pytest.raises(ConfigError, match=said) as caught:
            ask(f"open_clip:{model}", given)
        assert str(caught.value).startswith(f"encoder open_clip:{model}")


def test_a_preparation_that_no_option_stands_for_has_to_be_told(folder):
    padded = {"model_cfg": ARCHITECTURE, "preprocess_cfg": {"resize_mode": "longest"}}
    (folder / "open_clip_config.json").write_text(json.dumps(padded))
    with pytest.raises(ConfigError, match=r"in a way that is none of these here \(longest, 64\); give resize"):
        check_encoder(f"open_clip:local-dir:{folder}", {})
    assert load_encoder(f"open_clip:local-dir:{folder}", resize="square").preparation.resize == "square"
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(ConfigError, match=r"model holds no open_clip_config\.json"):
        check_encoder(f"open_clip:local-dir:{folder}", {})


@pytest.mark.parametrize("model, repository", [("tiny-clip/squashed", "org/s"), ("hf-hub:org/model", "org/model")])
def test_the_hub_is_asked_once_and_told_when_it_does_not_answer(monkeypatch, tags, model, repository):
    hub, asked = pytest.importorskip("huggingface_hub"), []

    def model_info(api, name, *, revision, timeout):
        asked.append((name, revision))
        raise ConnectionError("no route")

    monkeypatch.setattr(hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(ConfigError, match=rf"{repository} is not on this machine, .* cannot be reached \(no route\)"):
        check_encoder(f"open_clip:{model}", {"revision": "abc"})
    assert asked == [(repository, "abc")]


def test_the_id_changes_with_every_option_and_with_the_file(tiny, folder):
    other = str(folder / "open_clip_config.json")
    choices = [{}, {"revision": "abc"}, {"checkpoint": tiny[1]}, {"checkpoint": other}, {"size": 99}, {"crop": 98}]
    choices += [{"resize": "square"}, {"interpolation": "nearest"}, {"mean": [0, 0, 0]}, {"std": [1, 1, 1]}]
    choices += [{"normalise": False}, {"half": True}]
    ids = [encoder_id("open_clip:tiny-clip/plain", options) for options in choices]
    ids.append(encoder_id("open_clip:tiny-clip/squashed", {}))
    assert len(set(ids)) == len(ids) and ids[0].startswith("open_clip-plain-")


def test_without_open_clip_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=r"needs the library open_clip: pip install 'equipoise\[open-clip\]'"):
        check_encoder("open_clip:ViT-B-32/openai", {})
    assert encoder_kind("open_clip:ViT-B-32/openai", {}) == "images"
