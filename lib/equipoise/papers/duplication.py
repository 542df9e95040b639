"""Controlled duplication: the same images, no two alike, with equal or very unequal numbers of changed copies."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.draws import Purpose, draws
from equipoise.papers.resampling import Counts, shared_by_weight

SPREADS = {"uniform": 0.0, "exponential": 8.0, "heavy exponential": 32.0}
"""The coefficient a of the copies' growth, ``exp(a i)``: i goes from 0 at the first image to 1 at the last."""

N_AUGMENTATIONS = 10
N_FLIPS = 5
"""Quarter turns and flips: an image in three other directions, its mirror image and that upside down."""
LARGEST_SHIFT = 0.08  # of the side
LARGEST_TURN = 8.0  # degrees
LARGEST_BRIGHTENING = 0.15  # of the brightness

_SPREAD, _AUGMENTATION, _ORDER = 6, 7, 8  # what tells these draws from others of the same purpose

Images = NDArray[np.floating[Any]]


class Copies(NamedTuple):
    """``images`` (m, height, width[, channels]) float32; ``origins`` (m,) int64: whose copy each is, by position."""

    images: NDArray[np.float32]
    origins: Counts


def unlike_items(vectors: ArrayLike, *, cosine: float) -> Counts:
    """Return the positions of items, in order, of which no two are more similar than ``cosine``, (m,) int64.

    An item stays unless one before it that stayed is more similar: the filtered set that copies are then made of.

    Args:
        vectors: (n, d), finite, none zero; some ten thousand at most, since it compares all with those that stay.
        cosine: from -1 to 1.

    Raises:
        InputError: vectors of another shape, that are not finite, or zero.
    """
    given = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(given, axis=-1)
    if given.ndim != 2 or not np.isfinite(given).all() or not (lengths > 0).all():
        raise InputError(f"vectors have shape {given.shape}: give (n, d) finite ones, none zero")
    units = given / lengths[:, None]
    kept = np.empty_like(units)
    items: list[int] = []
    for item, unit in enumerate(units):
        if not (kept[: len(items)] @ unit > cosine).any():
            kept[len(items)] = unit
            items.append(item)
    return np.array(items, dtype=np.int64)


def copy_counts(n_images: int, mean: float, *, spread: str, seed: int) -> Counts:
    """Say how many copies each image has, itself included, so that sets of any spread have the same total.

    Every image is there once; what the mean leaves beside that is shared in proportion to ``exp(a i)``, i the place of
    the image in an order that is drawn, from 0 to 1. ``uniform`` (a = 0): all alike, give or take one; ``exponential``
    and ``heavy exponential``: few images have most of the copies, with the larger a far fewer. The sets hold the same
    images, in the same order: they differ in the numbers alone.

    Args:
        n_images: one or more.
        mean: copies an image, 1 or more: 6 for the image and five augmentations.
        spread: a key of :data:`SPREADS`.
        seed: of the order.

    Returns:
        (n_images,) int64, each at least 1, adding up to ``round(mean * n_images)``.

    Raises:
        ConfigError: another spread, or a mean under 1.

    Source: "Less is More?" 2025, section 4.1: sets of the same size, made of a filtered one, in which the number of
    copies grows as ``exp(a i)`` over the images, with two coefficients a. Ours are their values, the one of each image
    that is always there, and the drawn order.
    """
    if spread not in SPREADS:
        raise ConfigError(f"spread is {spread!r}: it must be one of {', '.join(SPREADS)}")
    if not mean >= 1:
        raise ConfigError(f"mean is {mean} copies an image: it must be 1 or more, every image is kept")
    places = np.empty(n_images)
    places[np.argsort(draws(seed, Purpose.SIMULATION, _SPREAD, np.arange(n_images)))] = np.linspace(0, 1, n_images)
    weights = np.exp(SPREADS[spread] * (places - 1))
    return 1 + shared_by_weight(round(mean * n_images) - n_images, weights)


def augmented(images: Images, copies: Counts, *, seed: int, flips: bool = True) -> Copies:
    """Return every image as often as ``copies`` says: itself first, then its augmentations.

    An image has :data:`N_AUGMENTATIONS` of them, fixed by the seed and its position: a shift, a turn and a change of
    brightness, each uniform up to a small largest one. With ``flips``, :data:`N_FLIPS` of the ten are the quarter turns
    and flips, and each image goes through the ten in an order of its own. Copies beyond those repeat them in turn,
    pixel by pixel.

    Args:
        images: (n, height, width), or (n, height, width, channels) where they have colour; none negative.
        copies: (n,) int64, none negative; 0 leaves an image out.
        seed: of the augmentations.
        flips: whether quarter turns and flips are among them; False for images whose class they change, as of digits.

    Raises:
        InputError: shapes that do not fit, or negative numbers of copies; with ``flips`` images that are not square.

    Source: "Less is More?" 2025, section 4.1: ten augmentations, flips and quarter turns among them. The others are
    ours.
    """
    _check_shapes(images, copies, flips=flips)
    origins = np.repeat(np.arange(len(images)), copies)
    numbers = np.arange(origins.size) - np.repeat(np.cumsum(copies) - copies, copies)
    kinds = np.where(numbers > 0, 1 + (numbers - 1) % N_AUGMENTATIONS, 0)
    kinds = _in_own_order(origins, kinds, seed) if flips else kinds
    changes = _changes(origins, kinds, seed)
    brightest = images.max(initial=0)
    made = np.empty((origins.size, *images.shape[1:]), dtype=np.float32)
    for place, (origin, kind, change) in enumerate(zip(origins, kinds, changes, strict=True)):
        image = images[origin]
        if flips and 0 < kind <= N_FLIPS:
            made[place] = _flipped(image, kind)
        else:
            made[place] = _changed(image, *change, brightest=brightest) if kind else image
    return Copies(made, origins)


def _check_shapes(images: Images, copies: Counts, *, flips: bool) -> None:
    if images.ndim not in (3, 4) or copies.shape != (len(images),) or (copies < 0).any():
        raise InputError(
            f"images have shape {images.shape}, copies {copies.shape}: give (n, height, width[, channels]) and (n,), "
            "none negative"
        )
    if flips and images.shape[1] != images.shape[2]:
        raise InputError(
            f"images have shape {images.shape}: quarter turns need square ones, crop them, or give flips=False"
        )


def _in_own_order(origins: Counts, kinds: Counts, seed: int) -> Counts:
    """Kinds from 1 in an order of each origin's own; 0 stays."""
    images, codes = np.unique(origins, return_inverse=True)
    drawn = draws(seed, Purpose.SIMULATION, _ORDER, images[:, None], np.arange(N_AUGMENTATIONS))
    order = np.argsort(drawn, axis=1) + 1
    return np.where(kinds > 0, order[codes, kinds - 1], 0)


def _flipped(image: Images, kind: int) -> Images:
    """The image in another direction (kinds 1 to 3), mirrored (4) or upside down (5)."""
    return np.rot90(image, kind) if kind <= 3 else np.flip(image, axis=5 - kind)


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
