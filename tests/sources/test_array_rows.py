"""Which windows arrays have, what is scaled to what, and the verdicts on what cannot be cut: by hand, without Spark."""

import io
import zipfile

import numpy as np
import pytest

from equipoise.config import ArraysSource
from equipoise.pipeline.content import read_bytes
from equipoise.pipeline.windows import Window
from equipoise.sources import array_windows
from equipoise.sources.array_rows import rows_of

LIMITS = {"limits": (0, 100)}


def source(**values):
    return ArraysSource(**{"kind": "arrays", "path": "p", "window": (4, 4), "scaling": LIMITS, **values})


def found(path, **values):
    return list(rows_of(f"file:{path}", source(**values)))


def saved(folder, array, name="a.npy"):
    np.save(folder / name, array)
    return folder / name


def pixels(row):
    content = row.content or read_bytes(row.uri)
    assert len(content) == row.n_bytes
    return np.load(io.BytesIO(content))


def places(rows):
    return [row.key.split(":")[1].partition(";")[0] for row in rows]


@pytest.mark.parametrize(
    "values, wanted",
    [
        ({}, ["0+4,0+4", "0+4,4+4"]),
        ({"overlap": 1}, ["0+4,0+4", "0+4,3+4", "0+4,6+4"]),
        ({"overlap": (0, 3)}, [f"0+4,{column}+4" for column in range(7)]),
        ({"partial": "pad"}, ["0+4,0+4", "0+4,4+4", "0+4,8+4", "4+4,0+4", "4+4,4+4", "4+4,8+4"]),
        ({"partial": "pad", "overlap": (2, 1)}, ["0+4,0+4", "0+4,3+4", "0+4,6+4", "2+4,0+4", "2+4,3+4", "2+4,6+4"]),
        ({"window": (6, 10)}, ["0+6,0+10"]),
        ({"window": (7, 10), "partial": "pad"}, ["0+7,0+10"]),
    ],
)
def test_windows_go_from_the_top_left_to_the_bottom_right(tmp_path, values, wanted):
    assert places(found(saved(tmp_path, np.zeros((6, 10))), **values)) == wanted


def test_a_padded_window_has_what_there_is_and_black_beyond(tmp_path):
    array = np.arange(1, 61).reshape(6, 10)
    rows = found(saved(tmp_path, array), partial="pad")
    wanted = np.zeros((4, 4))
    wanted[:2, :2] = array[4:, 8:] / 100
    np.testing.assert_allclose(pixels(rows[-1]), wanted, rtol=1e-6)
    assert ";pad" in rows[-1].key and ";pad" not in rows[0].key


@pytest.mark.parametrize("axis, wanted", [(0, "1,0+2,0+2"), (1, "0+2,1,0+2"), (2, "0+2,0+2,1")])
def test_a_volume_is_cut_into_slices_along_any_axis(tmp_path, axis, wanted):
    volume = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    rows = found(saved(tmp_path, volume), axis=axis, window=(2, 2))
    sides = [n // 2 for place, n in enumerate(volume.shape) if place != axis]
    assert len(rows) == volume.shape[axis] * np.prod(sides)
    (one,) = [row for row in rows if places([row]) == [wanted]]
    np.testing.assert_allclose(pixels(one), np.take(volume, 1, axis)[:2, :2] / 100, rtol=1e-6)


def test_of_many_slices_every_nth_is_taken(tmp_path):
    rows = found(saved(tmp_path, np.zeros((7, 4, 4))), axis=0, every=3)
    assert places(rows) == [f"{index},0+4,0+4" for index in (0, 3, 6)]


@pytest.mark.parametrize("channels", ["first", "last"])
def test_channels_come_last_and_are_taken_in_the_order_given(tmp_path, channels):
    picture = np.arange(4 * 6 * 5).reshape(4, 6, 5)
    path = saved(tmp_path, picture if channels == "last" else np.moveaxis(picture, 2, 0))
    (row,) = found(path, channels=channels)
    np.testing.assert_allclose(pixels(row), np.clip(picture[:4, :4] / 100, 0, 1), rtol=1e-6)
    (some,) = found(path, channels=channels, take=(3, 0))
    np.testing.assert_allclose(pixels(some), np.clip(picture[:4, :4, [3, 0]] / 100, 0, 1), rtol=1e-6)


def test_percentiles_are_of_the_whole_array_borders_and_all(tmp_path):
    array = np.random.default_rng(0).normal(size=(30, 41)) ** 3
    rows = found(saved(tmp_path, array), window=(8, 8), overlap=4, scaling={"percentiles": (2, 98)})
    scale = Window.of(rows[0].uri).scale
    np.testing.assert_allclose((scale.low, scale.high), np.percentile(array, [2, 98]))
    low, high = np.percentile(array, [2, 98])
    np.testing.assert_allclose(pixels(rows[0]), np.clip((array[:8, :8] - low) / (high - low), 0, 1), atol=1e-6)
    assert {Window.of(row.uri).scale for row in rows} == {scale}


def test_percentiles_of_a_volume_leave_out_what_is_no_number_and_do_not_depend_on_the_axis(tmp_path):
    volume = np.random.default_rng(1).normal(size=(4, 9, 10))
    volume[0, 0, :3] = np.nan, np.inf, -np.inf
    path = saved(tmp_path, volume)
    for axis in range(3):
        rows = found(path, axis=axis, scaling={"percentiles": (1, 99)}, fill=0.0)
        scale = Window.of(rows[0].uri).scale
        wanted = np.percentile(volume[np.isfinite(volume)], [1, 99])
        np.testing.assert_allclose((scale.low, scale.high), wanted)


def test_of_a_large_array_a_bounded_sample_tells_the_percentiles(tmp_path, monkeypatch):
    monkeypatch.setattr(array_windows, "SAMPLED_TILES", 16)
    monkeypatch.setattr(array_windows, "VALUES_OF_TILE", 100)
    reads = []
    numbers = Window.numbers
    monkeypatch.setattr(Window, "numbers", lambda self, array: reads.append(numbers(self, array)) or reads[-1])
    array = np.random.default_rng(2).uniform(0, 1, (600, 700))
    path = saved(tmp_path, array)
    first = found(path, window=(32, 32), scaling={"percentiles": (5, 95)})
    assert len(reads) == 16 and len(first) == 18 * 21
    scale = Window.of(first[0].uri).scale
    assert abs(scale.low - 0.05) < 0.02 and abs(scale.high - 0.95) < 0.02
    assert first == found(path, window=(32, 32), scaling={"percentiles": (5, 95)})


def test_constant_windows_stay(tmp_path):
    (row,) = found(saved(tmp_path, np.full((4, 4), 7)), scaling={"percentiles": (1, 99)})
    assert not pixels(row).any()


@pytest.mark.parametrize(
    "array, values, reason, said",
    [
        (
            np.array([[{}]], object),
            {},
            "unusable_array",
            "it holds object; it must hold whole numbers, floats or booleans",
        ),
        (np.zeros((4, 4), complex), {}, "unusable_array", "it holds complex128"),
        (np.zeros((4, 4), "M8[s]"), {}, "unusable_array", "it holds datetime64"),
        (np.zeros((4, 4), "f4,f4"), {}, "unusable_array", "it holds [('f0'"),
        (np.zeros(4), {}, "unusable_array", "its shape is (4,); it must have 2 or 3 axes"),
        (np.zeros((1, 1, 4, 4)), {}, "unusable_array", "it must have 2 or 3 axes"),
        (np.float64(3), {}, "unusable_array", "its shape is ()"),
        (np.zeros((0, 4)), {}, "unusable_array", "its shape is (0, 4): it holds no number"),
        (np.zeros((4, 4, 4)), {}, "unusable_array", "axis says along which of the three slices are taken"),
        (np.zeros((4, 4)), {"channels": "last", "take": (0,)}, "unusable_array", "has no channels"),
        (np.zeros((4, 4, 3)), {"channels": "last", "take": (0, 3)}, "unusable_array", "it has 3 channels, from 0"),
        (np.zeros((3, 9)), {}, "smaller_than_window", "it is (3, 9), the window (4, 4): partial: pad takes"),
    ],
)
def test_an_array_that_cannot_be_cut_is_one_row_with_its_reason(tmp_path, array, values, reason, said):
    (row,) = found(saved(tmp_path, array), **values)
    assert row.reason == reason and said in row.detail and row.key == f"file:{tmp_path}/a.npy"


def test_windows_above_the_limit_of_contents_are_not_made(tmp_path):
    large = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (4096, 4096, 20))  # a hole in a file
    del large
    (row,) = found(tmp_path / "a.npy", window=(4096, 4096), channels="last")
    assert row.reason == "content_too_large"
    assert row.detail == "a window of all its channels has 1,342,177,280 bytes, above 1,073,741,824"


def test_numbers_of_any_plain_type_are_taken(tmp_path):
    for number, dtype in enumerate(("bool", "u1", ">i2", "u4", "i8", "f2", "<f4", ">f8")):
        (row,) = found(saved(tmp_path, np.eye(4).astype(dtype), f"{number}.npy"), scaling={"limits": (0, 1)})
        np.testing.assert_array_equal(pixels(row), np.eye(4))


@pytest.mark.parametrize("name, content", [("a.npy", b"\x93NUM"), ("a.npz", b"PK\x03\x04"), ("a.npy", b"hello")])
def test_a_damaged_file_is_one_row(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (row,) = found(tmp_path / name)
    assert row.reason == "damaged_file" and str(tmp_path) not in row.detail


def test_of_a_file_of_several_arrays_each_has_its_own_verdict(tmp_path):
    np.savez(tmp_path / "a.npz", good=np.ones((4, 4)), flat=np.ones(3))
    rows = {row.key.removeprefix(f"file:{tmp_path}/"): row for row in found(tmp_path / "a.npz")}
    assert rows["a.npz#flat"].reason == "unusable_array"
    assert rows[f"window:0+4,0+4;array=good:file:{tmp_path}/a.npz"].reason is None and len(rows) == 2


def test_a_file_without_arrays_is_one_row_and_not_lost(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    (row,) = found(tmp_path / "a.npz")
    assert (row.reason, row.detail) == ("unusable_array", "it holds no array")


def test_a_compressed_member_goes_inline_and_is_the_same_picture(tmp_path):
    array = np.arange(60).reshape(6, 10)
    np.savez(tmp_path / "s.npz", x=array)
    np.savez_compressed(tmp_path / "p.npz", x=array)
    stored, packed = (found(tmp_path / f"{name}.npz", partial="pad") for name in "sp")
    assert all(row.content is None for row in stored) and all(row.content is not None for row in packed)
    assert [row.key.replace("s.npz", "p.npz") for row in stored] == [row.key for row in packed]
    for one, other in zip(stored, packed, strict=True):
        np.testing.assert_array_equal(pixels(one), pixels(other))


def test_a_compressed_member_that_is_damaged_or_holds_nan_has_its_reason(tmp_path):
    np.savez_compressed(tmp_path / "p.npz", x=np.array([[np.nan, 1], [1, 1]]))
    (row,) = found(tmp_path / "p.npz", window=(2, 2))
    assert row.reason == "not_finite" and row.content is None
    content = bytearray((tmp_path / "p.npz").read_bytes())
    content[60:70] = b"0123456789"
    (tmp_path / "p.npz").write_bytes(content)
    (row,) = found(tmp_path / "p.npz", window=(2, 2))
    assert row.reason == "damaged_file"
