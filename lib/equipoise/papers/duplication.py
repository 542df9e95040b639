"""Controlled duplication: the same images with equal or very unequal numbers of weakly changed copies."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.draws import Purpose, draws
from equipoise.papers.resampling import Counts, shared_by_weight

SPREADS = {"uniform": 0, "exponential": 1, "heavy exponential": 2}
"""The power of an exponential variable that the copies of an image go as."""

N_AUGMENTATIONS = 10
LARGEST_SHIFT = 0.08  # of the side
LARGEST_TURN = 8.0  # degrees
LARGEST_BRIGHTENING = 0.15  # of the brightness

_SPREAD, _AUGMENTATION = 6, 7  # what tells these draws from others of the same purpose

Images = NDArray[np.floating[Any]]


class Copies(NamedTuple):
    """``images`` (m, height, width[, channels]) float32; ``origins`` (m,) int64: whose copy each is, by position."""

    images: NDArray[np.float32]
    origins: Counts


def copy_counts(n_images: int, mean: float, *, spread: str, seed: int) -> Counts:
    """Say how many copies each image has, itself included, so that sets of any spread have the same total.

    Every image is there once; what the mean leaves beside that is shared in proportion to ``(-ln u)^power``, u a
    uniform draw for each image. ``uniform`` (power 0): all alike, give or take one; ``exponential`` (1): counts with an
    exponential distribution; ``heavy exponential`` (2): a stretched one (Weibull's with shape 1/2), whose tail is much
    longer. The sets hold the same images, and the same ones lead in both exponential sets: they differ in the
    numbers alone.

    Args:
        n_images: one or more.
        mean: copies an image, 1 or more: 6 for the image and five augmentations.
        spread: a key of :data:`SPREADS`.
        seed: of the draws.

    Returns:
        (n_images,) int64, each at least 1, adding up to ``round(mean * n_images)``.

    Raises:
        ConfigError: another spread, or a mean under 1.

    Source: "Less is More?" 2025, section 4: sets of the same size with uniform, exponential and heavy exponential
    duplication. It does not give the rates; those here are ours.
    """
    if spread not in SPREADS:
        raise ConfigError(f"spread is {spread!r}: it must be one of {', '.join(SPREADS)}")
    if not mean >= 1:
        raise ConfigError(f"mean is {mean} copies an image: it must be 1 or more, every image is kept")
    uniform = (draws(seed, Purpose.SIMULATION, _SPREAD, np.arange(n_images)).view(np.uint64) + 0.5) / 2.0**64
    weights = (-np.log(uniform)) ** SPREADS[spread]
    return 1 + shared_by_weight(round(mean * n_images) - n_images, weights)


def augmented(images: Images, copies: Counts, *, seed: int) -> Copies:
    """Return every image as often as ``copies`` says: itself first, then its weak augmentations.

    An image has :data:`N_AUGMENTATIONS` of them, fixed by the seed and its position: a shift, a turn and a change of
    brightness, each uniform up to a small largest one. Copies beyond those repeat them in turn, pixel by pixel.

    Args:
        images: (n, height, width), or (n, height, width, channels) where they have colour; none negative.
        copies: (n,) int64, none negative; 0 leaves an image out.
        seed: of the augmentations.

    Raises:
        InputError: shapes that do not fit, or negative numbers of copies.
    """
    if images.ndim not in (3, 4) or copies.shape != (len(images),) or (copies < 0).any():
        raise InputError(
            f"images have shape {images.shape}, copies {copies.shape}: give (n, height, width[, channels]) and (n,), "
            "none negative"
        )
    origins = np.repeat(np.arange(len(images)), copies)
    numbers = np.arange(origins.size) - np.repeat(np.cumsum(copies) - copies, copies)
    kinds = np.where(numbers > 0, 1 + (numbers - 1) % N_AUGMENTATIONS, 0)
    changes = _changes(origins, kinds, seed)
    brightest = images.max(initial=0)
    made = np.empty((origins.size, *images.shape[1:]), dtype=np.float32)
    for place, (origin, kind, change) in enumerate(zip(origins, kinds, changes, strict=True)):
        made[place] = _changed(images[origin], *change, brightest=brightest) if kind else images[origin]
    return Copies(made, origins)


def _changes(origins: Counts, kinds: Counts, seed: int) -> NDArray[np.float64]:
    """Shifts along both sides, turn and brightening of each copy, (m, 4), each from -1 to 1."""
    drawn = draws(seed, Purpose.SIMULATION, _AUGMENTATION, origins[:, None], kinds[:, None], np.arange(4))
    return drawn / 2.0**63


def _changed(image: Images, down: float, right: float, turn: float, light: float, *, brightest: float) -> Images:
    angle = np.deg2rad(turn * LARGEST_TURN)
    rotation = np.eye(image.ndim)  # channels, where there are any, stay what they are
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    centre = (np.array(image.shape) - 1) / 2
    shift = np.zeros(image.ndim)
    shift[:2] = np.array([down, right]) * LARGEST_SHIFT * image.shape[:2]
    offset = centre - rotation @ (centre + shift)
    moved = ndimage.affine_transform(image, rotation, offset, output=np.float64, order=1, mode="nearest")
    return np.clip(moved * (1 + light * LARGEST_BRIGHTENING), 0, brightest)
