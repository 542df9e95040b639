"""``transformers:MODEL``: which model it is, what it reads, and what is refused; nothing heavy is imported."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, hub, transformers_files
from equipoise.errors import ConfigError

IMAGES = {"model_type": "dinov2", "image_size": 56, "patch_size": 14}
TEXTS = {"model_type": "bert", "vocab_size": 60}


def folder_of(path, config, *files):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    for name in files:
        (path / name).write_text("{}")
    return f"transformers:{path}"


@pytest.fixture
def images(tmp_path):
    return folder_of(tmp_path / "images", IMAGES, "model.safetensors", "preprocessor_config.json")


@pytest.fixture
def texts(tmp_path):
    return folder_of(tmp_path / "texts", TEXTS, "model.safetensors", "tokenizer.json")


@pytest.mark.parametrize(
    "config, kind",
    [
        (IMAGES, "images"),
        (TEXTS, "texts"),
        ({"model_type": "clip", "vision_config": {}, "text_config": {"vocab_size": 60}}, "images"),
        ({"model_type": "convnext", "num_channels": 3}, "images"),
    ],
)
def test_what_it_reads_is_seen_from_its_config(tmp_path, config, kind):
    assert encoder_kind(folder_of(tmp_path / "model", config), {}) == kind


@pytest.mark.parametrize(
    "config", [{"model_type": "wav2vec2", "vocab_size": 32, "feat_extract_norm": "group"}, {"model_type": "timesfm"}]
)
def test_a_model_of_something_else_is_refused(tmp_path, config):
    name = folder_of(tmp_path / "model", config)
    for ask in (encoder_kind, check_encoder):
        with pytest.raises(ConfigError, match=f"model_type '{config['model_type']}'.* reads neither images"):
            ask(name, {})


def test_the_id_is_of_files_and_options_wherever_the_folder_lies(tmp_path, images):
    before = encoder_id(images, {})
    assert before.startswith("transformers-images-")
    shutil.copytree(tmp_path / "images", tmp_path / "moved/images")
    (tmp_path / "moved/images/README.md").write_text("what it is")
    moved = f"transformers:{tmp_path}/moved/images"
    assert encoder_id(moved, {}) == encoder_id(images, {"pool": None, "normalise": True}) == before
    options = [{"pool": "mean"}, {"normalise": False}, {"half": True}, {"trust_remote_code": True}, {"max_length": 8}]
    assert len({before, *(encoder_id(images, changed) for changed in options)}) == 6
    found = {before}
    for name in ("model.safetensors", "preprocessor_config.json", "config.json"):
        (tmp_path / "moved/images" / name).write_text('{"changed": 1}')
        found.add(encoder_id(moved, {}))
    assert len(found) == 4


def test_of_the_hub_the_id_is_of_name_and_revision():
    name = "transformers:org/model"
    ids = [encoder_id(name, {}), encoder_id(name, {"revision": "abc"}), encoder_id("transformers:org/other", {})]
    assert len(set(ids)) == 3 and ids[0].startswith("transformers-model-")


@pytest.mark.parametrize("missing, said", [
    ("model.safetensors", "has none of model.safetensors, model.safetensors.index.json, pytorch_model.bin"),
    ("preprocessor_config.json", "has none of preprocessor_config.json, processor_config.json"),
    ("config.json", "holds no model, no config.json"),
])  # fmt: skip
def test_a_folder_that_lacks_something_is_refused(tmp_path, images, missing, said):
    (tmp_path / "images" / missing).unlink()
    with pytest.raises(ConfigError) as caught:
        check_encoder(images, {})
    assert said in str(caught.value)


def test_a_tokenizer_that_is_not_there_is_missed(tmp_path, texts):
    check_encoder(texts, {})
    (tmp_path / "texts/tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"has none of tokenizer\.json"):
        check_encoder(texts, {})


@pytest.mark.parametrize(
    "which, options, said",
    [
        ("images", {"pool": "last"}, "pool is 'last'; of a model of images it is one of cls, pooled, mean, cls_mean"),
        ("texts", {"pool": "pooled"}, "pool is 'pooled'; of a model of texts it is one of mean, cls, last"),
        ("images", {"max_length": 8}, "max_length is of texts, and the model reads images: drop it"),
        ("images", {"revision": "abc"}, "a folder has no revision"),
        ("images", {"poll": "cls"}, "has no option 'poll'; did you mean 'pool'?"),
    ],
)
def test_options_that_are_not_for_it_are_refused(request, which, options, said):
    name = request.getfixturevalue(which)
    with pytest.raises(ConfigError) as caught:
        check_encoder(name, options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "content, said", [("{", "config.json cannot be read: "), ("[]", "config.json is no config of a model")]
)
def test_a_config_that_cannot_be_read_is_named(tmp_path, images, content, said):
    (tmp_path / "images/config.json").write_text(content)
    with pytest.raises(ConfigError, match=said):
        check_encoder(images, {})


def test_code_of_its_own_runs_only_where_the_config_says_so(tmp_path):
    pytest.importorskip("transformers")
    own = {**IMAGES, "model_type": "strange", "auto_map": {"AutoModel": "modeling_strange.StrangeModel"}}
    files = ("model.safetensors", "preprocessor_config.json")
    name = folder_of(tmp_path / "strange", own, *files)
    with pytest.raises(ConfigError, match=r"brings code of its own, .* set trust_remote_code: true and, of a model of"):
        check_encoder(name, {})
    check_encoder(name, {"trust_remote_code": True})
    check_encoder(
        folder_of(tmp_path / "known", {**own, "model_type": "dinov2"}, *files), {}
    )  # the library's own is taken


def test_a_path_that_is_not_there_is_no_name_of_the_hub():
    with pytest.raises(ConfigError, match=r"the folder no/such/\.\./folder does not exist|does not exist"):
        check_encoder("transformers:./no/such/folder", {})
    with pytest.raises(ConfigError, match="'a/b/c' is no name of a model of the hub"):
        check_encoder("transformers:a/b/c", {})


@pytest.mark.parametrize("library, which", [("transformers", "texts"), ("torch", "texts"), ("torchvision", "images")])
def test_without_its_libraries_the_extra_is_named(monkeypatch, request, library, which):
    monkeypatch.setattr(base, "find_spec", lambda module: None if module == library else module)
    with pytest.raises(ConfigError, match=rf"needs the library {library}: pip install 'equipoise\[transformers\]'"):
        check_encoder(request.getfixturevalue(which), {})


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """What this machine has of the hub: ``(model, file, revision): path``; and what was asked of it."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    files, asked = {}, []
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda model, name, revision=None: files.get((model, name, revision))
    )

    def model_info(api, model, *, revision, timeout):
        asked.append((model, revision))
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return files, asked


def test_of_a_model_that_this_machine_has_nobody_is_asked(cache, tmp_path):
    files, asked = cache
    folder_of(tmp_path / "snapshot", TEXTS, "model.safetensors")
    for name in ("config.json", "model.safetensors"):
        files["bert-base", name, "abc"] = str(tmp_path / "snapshot" / name)
    assert encoder_kind("transformers:bert-base", {"revision": "abc"}) == "texts"
    check_encoder("transformers:bert-base", {"revision": "abc"})
    assert not asked
    del files["bert-base", "model.safetensors", "abc"]
    with pytest.raises(ConfigError, match=r"the hub cannot be reached \(no route\)"):
        check_encoder("transformers:bert-base", {"revision": "abc"})
    assert asked == [("bert-base", "abc")]  # the name as it is


def test_of_one_that_it_has_not_the_hub_is_asked_once_for_its_config(cache, monkeypatch, tmp_path):
    import huggingface_hub

    _, asked = cache
    for ask in (encoder_kind, check_encoder):
        with pytest.raises(ConfigError, match="org/none is not on this machine, and the hub cannot be reached"):
            ask("transformers:org/none", {})
    assert asked == [("org/none", None)] * 2
    folder_of(tmp_path / "snapshot", IMAGES)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda api, model, **more: None)
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda model, name, **more: str(tmp_path / "snapshot" / name)
    )
    assert encoder_kind("transformers:org/other", {}) == "images"

    def gone(model, name, **more):
        raise OSError("no such entry")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", gone)
    with pytest.raises(ConfigError, match=r"config\.json of org/other cannot be had of the hub: no such entry"):
        encoder_kind("transformers:org/other", {})


def test_to_look_at_a_model_nothing_heavy_is_imported(images):
    """A config is refused and a graph is shown before that."""
    code = (
        "import sys; from equipoise.encoders import *\n"
        f"check_encoder({images!r}, {{}}), encoder_kind({images!r}, {{}}), encoder_id({images!r}, {{}})\n"
        "print([name for name in ('torch', 'transformers', 'pyspark') if name in sys.modules])"
    )
    pytest.importorskip("torchvision")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_cache_is_asked_by_whole_names():
    assert transformers_files.cached_file("a b", "config.json", None) is None
    assert not hub.is_cached("no such", None, owner=None) and not Path("no such").exists()
