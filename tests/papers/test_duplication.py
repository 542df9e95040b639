"""Controlled duplication: equal totals, the shape of the spreads, and augmentations that are weak."""

import numpy as np
import pytest
from scipy import ndimage

from equipoise.errors import ConfigError, InputError
from equipoise.papers.duplication import N_AUGMENTATIONS, SPREADS, augmented, copy_counts, unlike_items

RANDOM = np.random.default_rng(0)


def blobs(n: int, side: int = 24) -> np.ndarray:
    """Smooth images, of which a small change is a small change, and no two alike."""
    return ndimage.gaussian_filter(RANDOM.random((n, side, side)), sigma=(0, 4, 4)) * 16


@pytest.mark.parametrize("spread", SPREADS)
def test_every_spread_has_the_same_total_and_every_image(spread: str) -> None:
    counts = copy_counts(777, 5.3, spread=spread, seed=1)
    assert counts.shape == (777,)
    assert counts.sum() == round(777 * 5.3)
    assert counts.min() >= 1
    np.testing.assert_array_equal(counts, copy_counts(777, 5.3, spread=spread, seed=1))


def test_uniform_is_even() -> None:
    assert copy_counts(100, 5, spread="uniform", seed=0).tolist() == [5] * 100


@pytest.mark.parametrize("spread", ["exponential", "heavy exponential"])
def test_counts_grow_as_the_exponential_of_the_place(spread: str) -> None:
    extra = np.sort(copy_counts(101, 1 + 1e9, spread=spread, seed=0) - 1)  # so many that rounding plays no part
    steps = np.diff(np.log(extra[-20:]))
    np.testing.assert_allclose(steps, SPREADS[spread] / 100, rtol=1e-6)


def test_two_coefficients_by_hand() -> None:
    """Three images at 0, 1/2 and 1: weights e^-8, e^-4 and 1."""
    weights = np.exp([-8.0, -4.0, 0.0])
    extra = np.sort(copy_counts(3, 1 + 1e6, spread="exponential", seed=0) - 1)
    np.testing.assert_allclose(extra, 3e6 * weights / weights.sum(), atol=1)
    mild, heavy = (copy_counts(1000, 6, spread=spread, seed=0) for spread in ("exponential", "heavy exponential"))
    assert (mild.max(), heavy.max()) == (
        1 + 40,
        1 + 158,
    )  # 39.9 and 157.6: 5000 (1 - e^-h) / (1 - e^-(1000 h)), h = a / 999


def test_the_same_images_lead_in_both_exponential_sets() -> None:
    mild, heavy = (copy_counts(50, 100, spread=spread, seed=4) for spread in ("exponential", "heavy exponential"))
    assert mild.argmax() == heavy.argmax()


def test_an_image_comes_first_then_its_augmentations_then_those_again() -> None:
    images = blobs(3)
    made = augmented(images, np.array([2, 0, 25]), seed=0)
    assert made.images.shape == (27, 24, 24) and made.images.dtype == np.float32
    assert made.origins.tolist() == [0] * 2 + [2] * 25
    np.testing.assert_array_equal(made.images[0], images[0].astype(np.float32))
    of_last = made.images[2:]
    different = np.unique(of_last.reshape(25, -1), axis=0)
    assert len(different) == 1 + N_AUGMENTATIONS
    np.testing.assert_array_equal(of_last[1:11], of_last[11:21])


def test_augmentations_stay_nearer_to_their_image_than_to_another() -> None:
    images = blobs(20)
    images -= images.mean(axis=(1, 2), keepdims=True) - images.mean()
    made = augmented(images, np.full(20, 11), seed=0, flips=False)
    distances = ((made.images[:, None] - images[None]) ** 2).mean(axis=(2, 3))
    assert (distances.argmin(axis=1) == made.origins).mean() > 0.9


def test_flips_and_quarter_turns_are_half_of_the_ten() -> None:
    images = blobs(40)
    made = augmented(images, np.full(40, 1 + N_AUGMENTATIONS), seed=0)
    firsts = []
    for origin, image in enumerate(images.astype(np.float32)):
        copies = made.images[made.origins == origin]
        exact = [image, np.rot90(image), np.rot90(image, 2), np.rot90(image, 3), image[:, ::-1], image[::-1]]
        places = [[n for n, copy in enumerate(copies) if np.array_equal(copy, one)] for one in exact]
        assert places[0] == [0] and all(len(found) == 1 for found in places)
        assert len(np.unique(copies.reshape(11, -1), axis=0)) == 11
        firsts += [number for number, found in enumerate(places) if found == [1]]
    assert set(firsts) == {1, 2, 3, 4, 5}  # each image has an order of its own
    few = augmented(images, np.full(40, 3), seed=0)
    np.testing.assert_array_equal(few.images, made.images.reshape(40, 11, 24, 24)[:, :3].reshape(120, 24, 24))


def test_flips_keep_the_channels() -> None:
    coloured = np.moveaxis(blobs(3), 0, -1)[None]
    made = augmented(coloured, np.array([11]), seed=0)
    assert any(np.array_equal(copy, np.rot90(coloured[0]).astype(np.float32)) for copy in made.images)


def test_a_filtered_set_has_no_two_that_are_alike_and_lacks_none_that_is_unlike() -> None:
    vectors = RANDOM.normal(size=(300, 3))
    kept = unlike_items(vectors, cosine=0.9)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units[kept].T
    assert (np.sort(cosines[kept], axis=1)[:, -2] <= 0.9).all()
    dropped = np.setdiff1d(np.arange(300), kept)
    assert (cosines[dropped].max(axis=1) > 0.9).all()
    assert 0 < len(kept) < 300 and kept[0] == 0 and (np.diff(kept) > 0).all()


def test_augmentations_depend_on_seed_and_position_not_on_how_many_there_are() -> None:
    images = blobs(2)
    few, many = (augmented(images, np.array([1, n]), seed=0).images[2] for n in (3, 9))
    np.testing.assert_array_equal(few, many)
    assert not np.array_equal(few, augmented(images, np.array([1, 3]), seed=1).images[2])


def test_a_copy_in_colour_is_its_channels_changed_alike() -> None:
    channels = blobs(6).reshape(2, 3, 24, 24)
    channels *= 16 / channels.max(axis=(0, 2, 3), keepdims=True)  # each as bright as all: one limit of brightness
    copies = np.array([4, 12])
    made = augmented(np.moveaxis(channels, 1, -1), copies, seed=0)
    assert made.images.shape == (16, 24, 24, 3)
    for channel in range(3):
        of_channel = augmented(channels[:, channel], copies, seed=0)
        np.testing.assert_allclose(made.images[..., channel], of_channel.images, rtol=1e-5)
        np.testing.assert_array_equal(made.origins, of_channel.origins)


def test_brightness_stays_within_the_images_range() -> None:
    made = augmented(np.full((2, 8, 8), 16.0), np.array([11, 11]), seed=0)
    assert made.images.max() <= 16 and 16 * 0.85 <= made.images.min() < 15.5


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="spread is 'even'"):
        copy_counts(5, 2, spread="even", seed=0)
    with pytest.raises(ConfigError, match=r"mean is 0\.5"):
        copy_counts(5, 0.5, spread="uniform", seed=0)
    for images, copies in (
        (np.zeros((2, 8)), np.ones(2, int)),
        (np.zeros((2, 1, 8, 8, 3)), np.ones(2, int)),
        (np.zeros((2, 8, 8)), np.ones(3, int)),
        (np.zeros((1, 8, 8)), np.array([-1])),
    ):
        with pytest.raises(InputError, match="images have shape"):
            augmented(images, copies, seed=0)
    with pytest.raises(InputError, match="quarter turns need square"):
        augmented(np.zeros((1, 8, 9)), np.array([2]), seed=0)
    for vectors in (np.zeros((2, 3)), np.ones(3), np.array([[1.0, np.nan]])):
        with pytest.raises(InputError, match=r"vectors have shape"):
            unlike_items(vectors, cosine=0.5)
