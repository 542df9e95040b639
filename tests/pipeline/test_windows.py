"""Windows of arrays: their uris, and what is read of them, by hand."""

import io

import numpy as np
import pytest

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline.content import read_bytes
from equipoise.pipeline.windows import Channels, Scale, Window, npy_bytes, npy_size

URI = "file:/a b/c:d;e=1.npy"


def read(uri):
    return np.load(io.BytesIO(read_bytes(uri)))


@pytest.mark.parametrize(
    "window, uri",
    [
        (Window(URI, "", ((0, 4), (8, 4)), scale=Scale(0.0, 1.0)), f"window:0+4,8+4;scale=0.0..1.0:{URI}"),
        (
            Window(URI, "a:b;c/d", (3, (0, 4), (8, 4)), True, Scale(-1.5, 2e-07, 0.5)),
            f"window:3,0+4,8+4;array=a%3Ab%3Bc/d;pad;scale=-1.5..2e-07;fill=0.5:{URI}",
        ),
        (
            Window(URI, "", (Channels((2, 0)), (0, 4), (8, 4)), scale=Scale(0.0, 5.0)),
            f"window:*2.0,0+4,8+4;scale=0.0..5.0:{URI}",
        ),
        (
            Window(URI, "", ((0, 4), (8, 4), Channels()), scale=Scale(0.0, 5.0)),
            f"window:0+4,8+4,*;scale=0.0..5.0:{URI}",
        ),
    ],
)
def test_a_uri_says_all_that_a_window_is(window, uri):
    assert str(window) == uri and Window.of(uri) == window


def test_the_key_is_the_place_alone():
    window = Window(URI, "x", ((0, 4), (8, 4)), scale=Scale(0.0, 1.0))
    assert window.key == window.scaled(Scale(3.0, 4.0, 0.0)).key == f"window:0+4,8+4;array=x:{URI}"


def test_values_are_scaled_and_cut_off_at_both_ends():
    found = Scale(-2, 2).scaled(np.array([[-9, -2, -1], [0, 2, 9]], np.int16))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, 0, 0.25], [0.5, 1, 1]])


def test_an_array_of_one_value_is_black_and_what_is_above_is_white():
    np.testing.assert_array_equal(Scale(3.0, 3.0).scaled(np.array([3.0, 2.0, 4.0])), [0, 0, 1])


def test_what_is_no_number_is_refused_or_filled():
    values = np.array([[np.nan, 1.0], [np.inf, 0.0]])
    with pytest.raises(UnreadableItem, match="2 of 4 numbers of the window are NaN or infinite") as caught:
        Scale(0, 1).scaled(values)
    assert caught.value.reason == "not_finite"
    np.testing.assert_array_equal(Scale(0, 1, fill=0.5).scaled(values), [[0.5, 1], [0.5, 0]])


def test_a_window_is_read_from_its_file(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(24).reshape(2, 3, 4))
    at = f"scale=0.0..10.0:file:{tmp_path}/v.npy"
    np.testing.assert_allclose(read(f"window:0,1+2,1+2;{at}"), [[0.5, 0.6], [0.9, 1.0]])
    np.testing.assert_allclose(read(f"window:0+2,1,1+2;{at}"), [[0.5, 0.6], [1.0, 1.0]])
    np.testing.assert_allclose(read(f"window:0+1,0+2,*3.0;{at}"), [[[0.3, 0.0], [0.7, 0.4]]])
    np.testing.assert_allclose(read(f"window:*1.0,0+1,0+2;{at}"), [[[1.0, 0.0], [1.0, 0.1]]])
    np.testing.assert_allclose(read(f"window:0,2+2,2+3;pad;{at}"), [[1, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(
        read(f"window:0,2+2,2+3;pad;scale=0.0..100.0;fill=1.0:file:{tmp_path}/v.npy")[1], [1, 1, 1]
    )


@pytest.mark.parametrize(
    "uri, said",
    [
        ("window:0,0+9,0+2:file:{}/v.npy", r"the array has the shape \(2, 3, 4\): the window is not in it"),
        ("window:0+2,0+2:file:{}/v.npy", "the window is not in it"),
        ("window:0,0+2,0+2:file:{}/gone.npy", "FileNotFoundError"),
        ("window:0,0+2,x:file:{}/v.npy", "ValueError"),
        ("window:nothing", "names no window"),
    ],
)
def test_what_is_not_there_is_unreadable(tmp_path, uri, said):
    np.save(tmp_path / "v.npy", np.zeros((2, 3, 4)))
    with pytest.raises(UnreadableItem, match=said) as caught:
        read_bytes(uri.format(tmp_path))
    assert caught.value.reason == "unreadable_file"


@pytest.mark.parametrize("shape", [(1, 1), (256, 256), (4096, 3), (7, 100, 12)])
def test_the_bytes_of_a_picture_are_known_before_it_is_read(shape):
    assert npy_size(shape) == len(npy_bytes(np.zeros(shape, np.float32)))
