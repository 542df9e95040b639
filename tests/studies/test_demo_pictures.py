"""The pictures of the demo: which there are, and that a model sees the kinds of them."""

import numpy as np
import pytest
from PIL import Image

from equipoise.cli import main
from equipoise.encoders import load_encoder
from equipoise.stages.configuration import load_config
from equipoise.studies import demo_pictures
from equipoise.studies.demo_data import write_demo_data
from modules import ROOT


def photograph(rows, columns, *, plain=()):
    """Noise in tiles of 128 x 128, but for those that are plain."""
    pixels = np.random.default_rng(0).integers(0, 2, (rows * 4, columns * 4, 3)).astype(np.uint8) * 255
    picture = np.asarray(Image.fromarray(pixels).resize((columns * 128, rows * 128), Image.Resampling.NEAREST)).copy()
    for row, column in plain:
        picture[row * 128 : (row + 1) * 128, column * 128 : (column + 1) * 128] = 200
    return Image.fromarray(picture)


def test_tiles_do_not_overlap_and_plain_ones_are_left_out():
    whole = photograph(2, 3, plain=[(0, 1)])
    wide = Image.new("RGB", (whole.width + 100, whole.height + 50))
    wide.paste(whole)
    found = demo_pictures.tiles(wide)
    assert len(found) == 5 and {tile.size for tile in found} == {(128, 128)}
    assert np.array_equal(np.asarray(found[1]), np.asarray(whole)[:128, 256:])
    assert demo_pictures.tiles(photograph(1, 1, plain=[(0, 0)])) == []


def test_of_a_large_photograph_sixteen_tiles_are_taken_all_over_it():
    found = demo_pictures.tiles(photograph(5, 8))
    assert len(found) == 16 == len({tile.tobytes() for tile in found})


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_pictures, "PACKAGES", ("numpy", "no_such_package"))
    assert main(["demo-data", "images", "--out", str(tmp_path / "out")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the demo's pictures need the package no_such_package: make demo-images installs it" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_most_pictures_are_nearest_to_one_of_their_kind(tmp_path, monkeypatch):
    for package in demo_pictures.PACKAGES:
        pytest.importorskip(package)
    said = write_demo_data("images", tmp_path / "data" / "pictures")
    assert said.startswith("510 pictures of 26 kinds, and EfficientNet-Lite0")
    monkeypatch.chdir(tmp_path)
    config = load_config(ROOT / "conf" / "demo_images.yaml")
    encoder = load_encoder(config.embed.encoder, **config.embed.options)
    files = sorted((tmp_path / config.source.path).rglob("*.png"))
    vectors = encoder.encode([encoder.decode(file.read_bytes()) for file in files])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    kinds = np.array([file.parent.name for file in files])
    share = (kinds[cosines.argmax(axis=1)] == kinds).mean()
    print(share)
    assert len(files) == 510 and share >= 0.88
