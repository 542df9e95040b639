"""Dense features: every pixel or patch has a class of its own, and images are what a test set is made of."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from equipoise.errors import InputError
from equipoise.evaluation.bootstrap import SetScore
from equipoise.evaluation.features import Labels


def mean_iou(truth: Labels, predicted: Labels, images: ArrayLike, *, groups: Mapping[str, Labels]) -> SetScore:
    """Return the mean over classes of intersection over union, counted over all pixels or patches of the test set.

    A class counts where it is, or is predicted. The test sets of the bootstrap are drawn by image: pixels of one image
    are alike.

    Args:
        truth: (n,) the class of each pixel or patch.
        predicted: (n,) what was predicted.
        images: (n,) the image of each.
        groups: by column, (n,) the group of each, the same for all of an image; None for none.

    Raises:
        InputError: lengths that differ, no items, or an image in two groups.

    Source: Everingham et al. 2010, the PASCAL VOC challenge.
    """
    places, names = np.asarray(images), np.concatenate([truth, predicted])
    if not len(truth) or len(predicted) != len(truth) or places.shape != (len(truth),):
        raise InputError(f"there are {len(truth)} classes, {len(predicted)} predicted ones and {places.size} images")
    found, first, codes = np.unique(places, return_index=True, return_inverse=True)
    classes, both = np.unique(names, return_inverse=True)
    shape = (len(found), len(classes))
    was, said = (_counts(codes, part, shape) for part in np.split(both, 2))
    is_hit = both[: len(truth)] == both[len(truth) :]
    hits = _counts(codes[is_hit], both[: len(truth)][is_hit], shape)
    by_image = {column: _of_images(column, values, codes, first, found) for column, values in groups.items()}
    return SetScore(sparse.hstack([hits, was + said - hits]).tocsr(), _mean_ratio, by_image)


def _counts(images: NDArray[np.int64], classes: NDArray[np.int64], shape: tuple[int, int]) -> sparse.csr_matrix:
    ones = np.ones(len(images))
    return sparse.coo_matrix((ones, (images, classes)), shape=shape).tocsr()


def _mean_ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, unions = np.split(sums, 2, axis=1)
    is_there = unions > 0
    ratios = np.divide(hits, unions, out=np.zeros_like(hits), where=is_there)
    means: NDArray[np.float64] = ratios.sum(axis=1) / is_there.sum(axis=1)
    return means


def _of_images(column: str, values: Labels, codes: NDArray[np.int64], first: Labels, images: Labels) -> Labels:
    """The group of each image, that of all of its pixels."""
    own = values[first]
    odd = np.flatnonzero(values != own[codes])
    if odd.size:
        image = images[codes[odd[0]]]
        raise InputError(f"image {image} has rows of two groups of {column!r}: give all of an image one group")
    return own
