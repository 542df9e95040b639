"""Equal contents, whatever they came in: files, members of tar files, windows of arrays, bytes in the pool."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from equipoise.pipeline.hashes import picture_hash, with_decoded_hash
from equipoise.pipeline.tar_members import Member
from equipoise.pipeline.windows import Scale, Window, npy_bytes


def picture(form):
    file = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(file, form)
    return file.getvalue()


def test_arrays_are_equal_by_all_their_numbers():
    numbers = np.full((3, 4), 0.5, np.float32)
    near = numbers.copy()
    near[1, 2] += 1e-4  # the same in 8 bits
    assert picture_hash(npy_bytes(numbers)) == picture_hash(npy_bytes(numbers[..., None]))
    assert picture_hash(npy_bytes(numbers)) != picture_hash(npy_bytes(near))
    assert picture_hash(npy_bytes(numbers)) != picture_hash(npy_bytes(numbers.reshape(4, 3)))
    assert picture_hash(npy_bytes(np.zeros((2, 2)))) == picture_hash(npy_bytes(-np.zeros((2, 2))))
    many = np.random.default_rng(0).uniform(size=(3, 4, 7)).astype(np.float32)
    assert picture_hash(npy_bytes(many)) != picture_hash(npy_bytes(many[..., ::-1]))


@pytest.fixture
def contents(tmp_path):
    """(uri, content, width) of items, alike in pairs: 1 and 2, 3 and 4, 5 and 6; of the others none."""
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        told = tarfile.TarInfo("b.bmp")
        told.size = len(picture("BMP"))
        tar.addfile(told, io.BytesIO(picture("BMP")))
    member = Member(f"file:{tmp_path}/b.tar", "b.bmp", tarfile.BLOCKSIZE, told.size)
    numbers = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    np.save(tmp_path / "c.npy", numbers)
    window = Window(f"file:{tmp_path}/c.npy", "", ((2, 3), (1, 4)), scale=Scale(0.0, 1.0))
    return {
        1: (f"file:{tmp_path}/a.png", None, 4),
        2: (member.uri, None, 4),
        3: (str(window), None, 4),
        4: (None, npy_bytes(numbers[2:5, 1:5]), 4),
        5: (None, b"Two  words " * 20_000, None),
        6: (None, b"two words\n" * 20_000, None),
        7: (None, b"no picture", 4),
        8: (None, None, None),
    }


def test_what_is_in_contents_is_compared_wherever_they_lie(spark, contents):
    rows = [(id, uri, content and bytearray(content), width) for id, (uri, content, width) in contents.items()]
    items = spark.createDataFrame(rows, "item_id long, uri string, content binary, width int")
    found = dict(with_decoded_hash(items).collect())
    assert sorted(found) == sorted(contents)
    assert found[1] == found[2] and found[3] == found[4] and found[5] == found[6]
    assert len({found[1], found[3], found[5]}) == 3 and found[7] is found[8] is None
