"""Regions of arrays in files, against numpy's own slices of the same in memory."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline import stored_arrays as sa
from equipoise.pipeline.npy_headers import Header


class Counted:
    """A file that remembers what was read of it."""

    def __init__(self, content):
        self._file, self.reads = io.BytesIO(content), []

    def seek(self, place):
        self._file.seek(place)

    def read(self, size):
        self.reads.append(size)
        return self._file.read(size)


@st.composite
def regions(draw):
    shape = draw(st.lists(st.integers(1, 7), min_size=2, max_size=3))
    starts = [draw(st.integers(0, n - 1)) for n in shape]
    stops = [draw(st.integers(start + 1, n)) for start, n in zip(starts, shape, strict=True)]
    return tuple(shape), tuple(map(slice, starts, stops))


@given(regions(), st.sampled_from(["<f4", ">i2", "|b1", "<f8"]), st.sampled_from([(1 << 20, 1 << 20), (16, 4), (1, 0)]))
def test_any_region_is_what_numpy_cuts(region, dtype, bounds):
    """Whatever is read at once: all together, in pieces, number by number."""
    (shape, where), (span, gap) = region, bounds
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    stored = sa.NpyArray("", Header(shape, array.dtype, False, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa, "SPAN_BYTES", span)
        patch.setattr(sa, "GAP_BYTES", gap)
        patch.setattr(sa, "_MOST_WASTE", 1)
        found = stored._ranges(Counted(b"12345" + array.tobytes()), where, shape)
    assert np.array_equal(found, array[where]) and found.dtype.kind == array.dtype.kind


def test_a_window_of_long_rows_reads_its_own_part_of_each_row():
    array = np.zeros((6, 100_000), np.float32)
    stored = sa.NpyArray("", Header(array.shape, array.dtype, False, 0))
    file = Counted(array.tobytes())
    assert stored._ranges(file, (slice(1, 5), slice(500, 756)), array.shape).shape == (4, 256)
    assert file.reads == [1024] * 4


def test_a_slice_across_the_rows_is_read_with_what_lies_between(monkeypatch):
    """To ask for every number by itself would be 10,000 questions."""
    array = np.arange(100 * 100 * 50, dtype=np.int32).reshape(100, 100, 50)
    stored = sa.NpyArray("", Header(array.shape, array.dtype, False, 0))
    monkeypatch.setattr(sa, "SPAN_BYTES", 1 << 20)
    file = Counted(array.tobytes())
    where = (slice(0, 100), slice(0, 100), slice(7, 8))
    assert np.array_equal(stored._ranges(file, where, array.shape), array[where])
    assert len(file.reads) == 2 and max(file.reads) <= 1 << 20


@pytest.fixture
def folder(tmp_path):
    array = np.arange(60.0).reshape(6, 10)
    np.save(tmp_path / "c.npy", array)
    np.save(tmp_path / "f.NPY.npy", np.asfortranarray(array))
    np.savez(tmp_path / "s.npz", x=array, y=array.T)
    np.savez_compressed(tmp_path / "p.npz", x=array)
    return tmp_path


def opened(path, name=""):
    return sa.open_array(f"file:{path}", name)


WHERE = (slice(1, 4), slice(2, 9))


def test_every_kind_of_file_gives_the_same(folder):
    zarr = pytest.importorskip("zarr")
    array = np.load(folder / "c.npy")
    zarr.create_array(str(folder / "v3.zarr"), data=array, chunks=(4, 3))
    group = zarr.open_group(str(folder / "v2.zarr"), mode="w", zarr_format=2)
    group.create_array("deep/er", data=array, chunks=(2, 5))
    files = [("c.npy", ""), ("f.NPY.npy", ""), ("s.npz", "x"), ("v3.zarr", ""), ("v2.zarr", "deep/er")]
    for file, name in files:
        assert name in sa.array_names(f"file:{folder / file}")
        found = opened(folder / file, name)
        assert (found.shape, found.dtype) == (array.shape, array.dtype)
        assert np.array_equal(found.read(WHERE), array[WHERE]), file
    assert sa.array_names(f"file:{folder}/s.npz") == ["x", "y"] and sa.array_names(f"file:{folder}/v2.zarr") == [
        "deep/er"
    ]
    assert np.array_equal(opened(folder / "s.npz", "y").read((slice(0, 10), slice(5, 6))), array.T[:, 5:])


def test_zarr_in_a_store_is_read_through_its_file_system(folder, monkeypatch):
    zarr = pytest.importorskip("zarr")
    array = np.load(folder / "c.npy")
    zarr.save_group(str(folder / "g.zarr"), a=array)
    store = fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())
    monkeypatch.setattr(sa, "locate", lambda uri: (store, uri.removeprefix("s3:/")))
    assert sa.array_names("s3:/g.zarr") == ["a"]
    assert np.array_equal(sa.open_array("s3:/g.zarr", "a").read(WHERE), array[WHERE])


def test_a_compressed_member_is_unpacked_into_a_file_that_goes_away(folder):
    with pytest.raises(sa.PackedError):
        opened(folder / "p.npz", "x")
    with sa.unpacked(f"file:{folder / 'p.npz'}", "x") as array:
        assert np.array_equal(array.read(WHERE), np.load(folder / "c.npy")[WHERE])
        place = array.uri
    with pytest.raises(FileNotFoundError):
        sa.open_array(place, "")


def test_what_has_no_room_unpacked_says_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(sa, "disk_usage", lambda place: type("Usage", (), {"free": 100}))
    with pytest.raises(
        UnreadableItem, match=r"unpacked x has 608 bytes, .* 100 free: write it by numpy\.savez"
    ) as caught:
        sa.unpacked(f"file:{folder / 'p.npz'}", "x").__enter__()
    assert caught.value.reason == "content_too_large"


def test_members_are_found_whatever_stands_before_them(folder):
    """Names and extra fields of any length, and a comment at the end."""
    path, array = folder / "x.npz", np.eye(3)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no array")
        info = zipfile.ZipInfo("sub/ü.npy")
        info.extra = b"\x01\x00\x04\x00abcd"
        file = io.BytesIO()
        np.save(file, array)
        archive.writestr(info, file.getvalue())
        archive.comment = b"made by hand"
    assert sa.array_names(f"file:{path}") == ["sub/ü"]
    assert np.array_equal(opened(path, "sub/ü").read((slice(0, 2), slice(0, 3))), array[:2])


def test_what_is_cut_off_is_told(folder):
    content = (folder / "c.npy").read_bytes()
    (folder / "c.npy").write_bytes(content[:-8])
    with pytest.raises(ValueError, match=r"it is cut off: 600 bytes, 608 for its shape \(6, 10\)"):
        opened(folder / "c.npy")
