"""``timm:MODEL``: as timm itself prepares pictures and gives features."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from timm.data import create_transform, resolve_model_data_config  # noqa: E402

from encoded import encoded, file_of, photograph, vector_of  # noqa: E402
from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

RAW = {"normalise": False}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Random weights of a model, with its classifier, in a file."""
    files = {}

    def save(name):
        if name not in files:
            torch.manual_seed(0)
            files[name] = tmp_path_factory.mktemp("timm") / f"{name}.pt"
            torch.save(timm.create_model(name, pretrained=False).state_dict(), files[name])
        return str(files[name])

    return save


def theirs(name, file, **arguments):
    """The model without its classifier, by timm's own means."""
    model = timm.create_model(name, pretrained=False, checkpoint_path=file, **arguments)
    model.reset_classifier(0)
    return model


@pytest.mark.parametrize(
    "name, crop_pct, interpolation",
    [("test_vit", 0.95, "bicubic"), ("test_resnet", 0.95, "bilinear"), ("test_convnext", 0.95, "bicubic"),
     ("tf_mobilenetv3_small_minimal_100", 0.875, "bilinear")],
)  # fmt: skip
def test_it_is_as_timm_does_it(saved, name, crop_pct, interpolation):
    """The whole of timm's pipeline: its transform by the model's data config, its model, its pooling."""
    model = theirs(name, saved(name))
    config = resolve_model_data_config(model)
    assert (config["crop_pct"], config["interpolation"]) == (crop_pct, interpolation)
    expected = vector_of(model, create_transform(**config, is_training=False)(photograph()))
    found = encoded(f"timm:{name}", file_of(photograph()), checkpoint=saved(name), **RAW)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_options_count_for_more_than_the_data_config_and_positions_fit_the_size(saved):
    """Of a model that takes pictures of one size alone, as most transformers do."""
    name = "vit_tiny_patch16_224"
    options = {"size": 96, "resize": "square", "crop": 96, "interpolation": "bilinear", "mean": [0.4, 0.5, 0.6]}
    model = theirs(name, saved(name))
    model.set_input_size(img_size=96)
    transform = create_transform(
        input_size=96, crop_pct=1.0, crop_mode="squash", interpolation="bilinear", mean=(0.4, 0.5, 0.6), std=(0.5,) * 3
    )
    found = encoded(f"timm:{name}", file_of(photograph()), checkpoint=saved(name), **options, **RAW)
    np.testing.assert_allclose(found[0], vector_of(model, transform(photograph())), atol=1e-5)


def test_tokens_are_pooled_as_told(saved):
    file, contents = saved("test_vit"), file_of(photograph())
    model = theirs("test_vit", file)
    picture = create_transform(**resolve_model_data_config(model), is_training=False)(photograph())
    with torch.inference_mode():
        tokens = model.eval().forward_features(picture[None])[0].numpy()
    n_prefix = len(tokens) - 100  # of 160 pixels, patches of 16
    mean = tokens[n_prefix:].mean(axis=0)
    wanted = {"cls": tokens[0], "mean": mean, "cls_mean": np.concatenate([tokens[0], mean])}
    for pool, expected in wanted.items():
        found = encoded("timm:test_vit", contents, checkpoint=file, pool=pool, **RAW)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize("name, pool, lacks", [("test_resnet", "mean", "tokens"), ("test_vit3", "cls", "CLS token")])
def test_a_model_without_such_tokens_says_so(saved, name, pool, lacks):
    with pytest.raises(ConfigError, match=rf"pool is '{pool}', and the model has no {lacks}; leave it at own"):
        load_encoder(f"timm:{name}", checkpoint=saved(name), pool=pool)


def test_weights_without_a_classifier_fit_and_others_do_not(saved, tmp_path):
    name, bare = "test_vit", str(tmp_path / "bare.pt")
    torch.save({"state_dict": theirs(name, saved(name)).state_dict()}, bare)
    whole = encoded(f"timm:{name}", file_of(photograph()), checkpoint=saved(name))
    np.testing.assert_array_equal(encoded(f"timm:{name}", file_of(photograph()), checkpoint=bare), whole)
    with pytest.raises(ConfigError, match=r"timm:test_vit cannot be loaded: .*Missing key.*cls_token") as caught:
        load_encoder(f"timm:{name}", checkpoint=saved("test_resnet"))
    assert len(str(caught.value)) < 500  # of hundreds of names the first


def test_a_file_that_would_run_code_is_not_loaded(tmp_path):
    class Odd:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"weights": Odd()}, tmp_path / "odd.pt")
    with pytest.raises(ConfigError, match=r"cannot be loaded: .*weights_only"):
        load_encoder("timm:test_vit", checkpoint=str(tmp_path / "odd.pt"))


@pytest.fixture
def folder(tmp_path, saved):
    """As timm's ``save_for_hf`` writes one."""
    (tmp_path / "model").mkdir()
    config = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5], "crop_pct": 1.0, "input_size": [3, 160, 160]}
    config |= {
        "crop_mode": "squash",
        "interpolation": "bilinear",
        "num_classes": 1000,
        "classifier": "head",
        "fixed_input_size": True,
    }
    written = {"architecture": "test_vit", "num_classes": 1000, "pretrained_cfg": config}
    (tmp_path / "model/config.json").write_text(json.dumps(written))
    torch.save(torch.load(saved("test_vit")), tmp_path / "model/pytorch_model.bin")
    return tmp_path / "model"


def test_a_folder_has_its_own_config_and_is_known_by_its_files(folder, tmp_path):
    encoder = load_encoder(f"timm:local-dir:{folder}", **RAW)
    assert (encoder.preparation.size, encoder.preparation.resize) == (160, "square")
    assert encoder.preparation.mean == (0.1, 0.2, 0.3)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    picture = create_transform(**resolve_model_data_config(model), is_training=False)(photograph())
    found = encoder.encode([encoder.decode(file_of(photograph()))])
    np.testing.assert_allclose(found[0], vector_of(model, picture), atol=1e-5)
    before = encoder_id(f"timm:local-dir:{folder}", {})
    assert encoder_id(f"timm:local-dir:{folder.rename(tmp_path / 'moved')}", {}).split("-")[-1] == before.split("-")[-1]
    (tmp_path / "moved/config.json").write_text("{}")
    assert encoder_id(f"timm:local-dir:{tmp_path / 'moved'}", {}).split("-")[-1] != before.split("-")[-1]


def test_the_id_changes_with_every_option_and_with_the_file(saved, tmp_path):
    moved, other = tmp_path / "moved.pt", saved("test_resnet")
    shutil.copy(saved("test_vit"), moved)
    choices = [{}, {"revision": "abc"}, {"pool": "cls"}, {"checkpoint": str(moved)}, {"checkpoint": other}]
    choices += [{"size": 99}, {"crop": 98}, {"resize": "square"}, {"interpolation": "nearest"}, {"half": True}]
    choices += [{"mean": [0, 0, 0]}, {"std": [1, 1, 1]}, {"normalise": False}]
    ids = [encoder_id("timm:test_vit", options) for options in choices]
    assert len(set(ids)) == len(ids) and ids[0].startswith("timm-test_vit-")
    assert encoder_id("timm:test_vit", {"checkpoint": saved("test_vit")}) == ids[3]  # wherever it lies
    assert encoder_id("timm:test_vit", {"size": None, "checkpoint": None}) == ids[0]
    assert encoder_id("timm:test_vit.r160_in1k", {}) != ids[0]


@pytest.mark.parametrize(
    "model, options, said",
    [
        ("test_vot", {}, "timm has no model 'test_vot'; did you mean 'test_vit'?"),
        ("qqqq", {}, r"timm has no model 'qqqq'; none of the \d,\d\d\d known is like it"),
        ("test_vit.r16_in1k", {}, "timm has no weights 'r16_in1k' of test_vit; did you mean 'r160_in1k'?"),
        ("resnet18", {}, r"timm has several weights of this model; write one of resnet18\.a1_in1k, "),
        ("eva_large_patch14_196a", {}, "did you mean 'eva_large_patch14_196'"),
        ("vit_small_patch16_36x1_224", {}, "timm has no weights of this model; name a file of them: checkpoint"),
        ("hub:a/b", {}, "'hub' is no source of models; did you mean 'hf-hub'?"),
        ("local-dir:/no/such", {}, "the folder /no/such does not exist"),
        ("test_vit", {"checkpoint": "none.pt"}, "the file none.pt does not exist"),
        ("test_vit", {"checkpoint": "HERE", "crop": 500}, "crop is 500, beyond the size, 168"),
        ("test_vit", {"checkpoint": "HERE", "revision": "abc"}, "revision is 'abc'; it is of models of the hub"),
        ("vit_base_patch16_sapiens2", {"checkpoint": "HERE"}, r"\(.*1024 x 768\); give size and crop"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(saved, model, options, said):
    given = {name: saved("test_vit") if value == "HERE" else value for name, value in options.items()}
    for ask in (check_encoder, lambda name, given: load_encoder(name, **given)):
        with pytest.raises(ConfigError, match=said) as caught:
            ask(f"timm:{model}", given)
        assert str(caught.value).startswith(f"encoder timm:{model}")


@pytest.mark.parametrize(
    "model, repository",
    [("test_vit", "timm/test_vit.r160_in1k"), ("a/b", "a/b"), ("hf-hub:a/b", "a/b")],
)
def test_the_hub_is_asked_once_and_told_when_it_does_not_answer(monkeypatch, model, repository):
    hub, asked = pytest.importorskip("huggingface_hub"), []

    def model_info(api, name, *, revision, timeout):
        asked.append((name, revision))
        raise ConnectionError("no route")

    monkeypatch.setattr(hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(ConfigError, match=rf"{repository} is not on this machine, .* cannot be reached \(no route\)"):
        check_encoder(f"timm:{model}", {"revision": "abc"})
    assert asked == [(repository, "abc")]


def test_a_revision_is_what_timm_is_asked_for(monkeypatch, saved):
    """What would be fetched is looked at, without a network."""
    hub, asked = pytest.importorskip("timm.models._hub"), []

    def download(*, repo_id, filename, revision, **rest):
        asked.append((repo_id, revision))
        raise hub.EntryNotFoundError("none")

    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setattr("equipoise.encoders.timm_models.is_cached", lambda *_, **__: True)
    with pytest.raises(ConfigError, match="timm:test_vit cannot be loaded"):
        load_encoder("timm:test_vit", revision="abc")
    assert set(asked) == {("timm/test_vit.r160_in1k", "abc")}


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    for ask in (load_encoder, lambda name: check_encoder(name, {})):
        with pytest.raises(ConfigError, match=r"needs the library timm: pip install 'equipoise\[timm\]'"):
            ask("timm:test_vit")
    assert encoder_kind("timm:test_vit", {}) == "images"
