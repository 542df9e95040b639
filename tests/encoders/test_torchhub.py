"""``torchhub:PLACE:ENTRY``: a folder with a hubconf.py, and repositories that are not fetched here."""

import logging
import os
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torchvision import transforms  # noqa: E402

from encoded import encoded, file_of, photograph  # noqa: E402
from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

RAW = {"normalise": False}
HUBCONF = '''
dependencies = ["torch"]

import torch
from layers import Means

RAN = torch


def means(scale=1.0):
    """The mean of each channel."""
    return Means(scale)


def number():
    return 3


def broken():
    raise FileNotFoundError("weights.pt is gone")


def hungry(most=3):
    return Means(1.0, most)
'''
LAYERS = """
import torch


class Means(torch.nn.Module):
    def __init__(self, scale, most=100):
        super().__init__()
        self.scale, self.most = scale, most
        self.layer = torch.nn.Dropout(0.5)  # the mean is random unless the model is told that it is not trained

    def forward(self, pictures):
        if len(pictures) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate much")
        return self.layer(pictures.mean(dim=(2, 3))) * self.scale
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "repository"
    place.mkdir()
    (place / "hubconf.py").write_text(HUBCONF)
    (place / "layers.py").write_text(LAYERS)
    return place


def prepared():
    """As DINOv2 is evaluated."""
    steps = [transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224)]
    steps += [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    return transforms.Compose(steps)(photograph()).numpy()


def test_a_folder_s_entry_point_is_the_model(folder):
    found = encoded(f"torchhub:{folder}:means", file_of(photograph()), arguments={"scale": 2}, **RAW)
    np.testing.assert_allclose(found[0], prepared().mean(axis=(1, 2)) * 2, atol=1e-5)
    unit = encoded(f"torchhub:{folder}:means", file_of(photograph()))
    np.testing.assert_allclose(unit[0], found[0] / np.linalg.norm(found[0]), atol=1e-5)


def test_code_that_changed_or_is_called_alike_elsewhere_is_read_again(folder, tmp_path):
    first = encoded(f"torchhub:{folder}:means", file_of(photograph()), **RAW)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "layers.py").write_text(LAYERS.replace("* self.scale", "+ 1"))
    found = encoded(f"torchhub:{other}:means", file_of(photograph()), **RAW)
    np.testing.assert_allclose(found, first + 1, atol=1e-5)


def test_what_does_not_fit_into_the_memory_goes_in_parts(folder, caplog):
    contents = [file_of(photograph())] * 10
    with caplog.at_level(logging.WARNING, "equipoise"):
        found = encoded(f"torchhub:{folder}:hungry", *contents, **RAW)
    np.testing.assert_allclose(found, [prepared().mean(axis=(1, 2))] * 10, atol=1e-5)
    assert "8 pictures at once do not fit into the memory of cpu" in caplog.text and len(caplog.records) == 1


@pytest.mark.parametrize(
    "entry, said",
    [
        ("number", "the entry point gives a int; it must be a torch module"),
        ("broken", "cannot be loaded: weights.pt is gone"),
    ],
)
def test_what_the_entry_point_does_wrong_is_named(folder, entry, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_encoder(f"torchhub:{folder}:{entry}")
    assert str(caught.value).startswith(f"encoder torchhub:{folder}:{entry}")


def test_code_is_looked_at_and_not_run_before_any_work(folder):
    (folder / "hubconf.py").write_text(f"raise SystemExit('ran')\n{HUBCONF}")
    check_encoder(f"torchhub:{folder}:means", {})
    with pytest.raises(ConfigError, match=r"hubconf.py has no 'mean'; did you mean 'means'\?"):
        check_encoder(f"torchhub:{folder}:mean", {})
    (folder / "hubconf.py").write_text("from layers import *")  # what it defines is not seen
    check_encoder(f"torchhub:{folder}:mean", {})
    (folder / "hubconf.py").write_text(HUBCONF.replace('["torch"]', '["torch", "no_such_library"]'))
    with pytest.raises(ConfigError, match=r"needs the library no_such_library, which .*hubconf.py names"):
        check_encoder(f"torchhub:{folder}:means", {})
    (folder / "hubconf.py").write_text("def means(:")
    with pytest.raises(ConfigError, match=r"hubconf.py is no Python: "):
        check_encoder(f"torchhub:{folder}:means", {})


@pytest.mark.parametrize(
    "entry, options, said",
    [
        ("means", {}, "does not say which model: write torchhub:<owner/repository or folder>:<entry point>"),
        ("org/repository:", {}, "does not say which model"),
        ("/no/such:means", {}, "the folder /no/such does not exist"),
        (".:means", {}, r"holds no hubconf\.py"),
        ("org/repository:v1:means", {}, "'org/repository:v1' is no <owner>/<repository>"),
        ("repository:means", {}, "'repository' is no <owner>/<repository>"),
        ("org/repository:means", {}, "runs the code of org/repository: look at it, and say trust_remote_code: true"),
        ("org/repository:means", {"trust_remote_code": False}, "say trust_remote_code: true"),
        ("org/repository:means", {"revision": "a:b"}, "revision is 'a:b'; it must be a branch, tag or commit"),
        ("org/repository:means", {"crop": 300}, "crop is 300, beyond the size, 256"),
    ],
)
def test_what_cannot_be_or_may_not_is_told_before_any_work(entry, options, said):
    for ask in (check_encoder, lambda name, given: load_encoder(name, **given)):
        with pytest.raises(ConfigError, match=said) as caught:
            ask(f"torchhub:{entry}", options)
        assert str(caught.value).startswith(f"encoder torchhub:{entry}")


def test_a_revision_is_of_repositories(folder):
    with pytest.raises(ConfigError, match=r"revision is 'abc'; it is of repositories, and .* is not"):
        check_encoder(f"torchhub:{folder}:means", {"revision": "abc"})


def test_a_repository_that_may_be_run_is_asked_for_once(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    asked = []

    def urlopen(request, *, timeout):
        asked.append((request.full_url, request.get_method(), timeout))
        raise OSError("no route")

    monkeypatch.setattr("equipoise.encoders.hub.urlopen", urlopen)
    with pytest.raises(ConfigError, match=r"github.com/org/repository/tree/v1 cannot be had \(no route\)"):
        check_encoder("torchhub:org/repository:means", {"trust_remote_code": True, "revision": "v1"})
    assert asked == [("https://github.com/org/repository/tree/v1", "HEAD", 10)]


def test_a_repository_that_this_machine_has_is_used(monkeypatch, tmp_path, folder):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    folder.rename(tmp_path / "org_repository_v1")
    trusted = {"trust_remote_code": True, "revision": "v1"}
    found = encoded("torchhub:org/repository:means", file_of(photograph()), **trusted, **RAW)
    np.testing.assert_allclose(found[0], prepared().mean(axis=(1, 2)), atol=1e-5)
    with pytest.raises(ConfigError, match="did you mean 'means'"):
        check_encoder("torchhub:org/repository:meens", trusted)


def test_a_repository_that_this_machine_has_not_is_fetched_by_torch_hub(monkeypatch, tmp_path):
    from equipoise.encoders.torchhub import TorchHubEncoder

    asked = []

    def load(where, name, **arguments):
        asked.append((where, name, arguments))
        return torch.nn.Flatten()

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "load", load)
    monkeypatch.setattr(TorchHubEncoder, "check", lambda *_, **__: None)
    load_encoder("torchhub:org/repository:means", trust_remote_code=True, revision="v1", arguments={"scale": 2})
    assert asked == [("org/repository:v1", "means", {"trust_repo": True, "verbose": False, "scale": 2})]


def test_the_id_changes_with_every_option_and_with_the_code(folder, tmp_path):
    name = f"torchhub:{folder}:means"
    choices = [{}, {"arguments": {"scale": 2}}, {"arguments": {"scale": 3}}, {"trust_remote_code": True}]
    choices += [{"size": 257}, {"crop": 223}, {"resize": "square"}, {"interpolation": "nearest"}, {"half": True}]
    choices += [{"mean": [0, 0, 0]}, {"std": [1, 1, 1]}, {"normalise": False}]
    ids = [encoder_id(name, options) for options in choices] + [encoder_id(f"torchhub:{folder}:number", {})]
    assert len(set(ids)) == len(ids) and ids[0].startswith("torchhub-repository-means-")
    load_encoder(name)
    os.makedirs(folder / ".git")
    (folder / ".git/index").write_text("x")
    moved = folder.rename(tmp_path / "moved")
    assert encoder_id(f"torchhub:{moved}:means", {}).split("-")[-1] == ids[0].split("-")[-1]  # nor what Python compiled
    (moved / "layers.py").write_text(LAYERS.replace("* self.scale", "+ self.scale"))
    assert encoder_id(f"torchhub:{moved}:means", {}).split("-")[-1] != ids[0].split("-")[-1]
    fetched = "torchhub:org/repository:means"
    assert encoder_id(fetched, {}) != encoder_id(fetched, {"revision": "v1"}) != encoder_id(f"{fetched}2", {})


def test_without_torch_the_extra_is_named(monkeypatch, folder):
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=r"needs the library torch: pip install 'equipoise\[torch\]'"):
        check_encoder(f"torchhub:{folder}:means", {})
    assert encoder_kind(f"torchhub:{folder}:means", {}) == "images"
