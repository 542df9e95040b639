"""Folders of arrays with their ids, and ids as people save them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.schemas import Col
from equipoise.sources.local import check_source
from equipoise.sources.npy_parts import open_parts
from equipoise.sources.passing import passed_beside_parts
from sources.asked import refusal, rows, source
from sources.test_early import early

NUMBERS = (0, 1, 2, 10, 11)
"""Of parts: their order is that of numbers."""


def parts(folder, name="img_emb_{}.npy", dim=3):
    """Parts of 1, 2, ... rows; the first value of a row is its number among all."""
    folder.mkdir(exist_ok=True)
    first = 0
    for n_rows, number in enumerate(NUMBERS, start=1):
        matrix = np.zeros((n_rows, dim), [np.float16, np.float32][number % 2])
        matrix[:, 0] = np.arange(first, first + n_rows)
        np.save(folder / name.format(number), matrix)
        first += n_rows
    return folder


def ids_of(n_rows, first):
    return [f"ü{number}" for number in range(first, first + n_rows)]


def write_ids(folder, ending, name="metadata_{}"):
    folder.mkdir(exist_ok=True)
    first = 0
    for n_rows, number in enumerate(NUMBERS, start=1):
        ids, path = ids_of(n_rows, first), folder / f"{name.format(number)}{ending}"
        if ending.endswith(".parquet"):
            pq.write_table(pa.table({"caption": ids, "key": ids}), path, row_group_size=2)
        elif ending.endswith(".npy"):
            np.save(path, np.array([one.encode() for one in ids]))
        else:
            path.write_text("\n".join(ids))
        first += n_rows
    return str(folder)


def order(found):
    return {row[Col.key]: row[Col.embedding][0] for row in found}


def test_parts_of_a_folder_are_one_matrix_in_the_order_of_their_numbers(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 24)
    parts(tmp_path / "in")
    np.save(tmp_path / "in" / "img_emb_12.npy", np.zeros((0, 3), np.float32))
    (tmp_path / "in" / "._img_emb_0.npy").write_bytes(b"of a Mac")
    found = rows(spark, kind="embeddings", path=tmp_path / "in")
    assert order(found) == {str(number): number for number in range(15)}
    assert {row[Col.given_id] for row in found} == set(range(15))


@pytest.mark.parametrize("ending, beside", [(".parquet", False), (".ids.npy", True), (".txt", False)])
def test_ids_of_parts_lie_beside_them_or_in_a_folder(spark, tmp_path, ending, beside, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 24)
    folder = parts(tmp_path / "in")
    ids = write_ids(folder if beside else tmp_path / "ids", ending, "img_emb_{}" if beside else "metadata_{}")
    more = {} if beside else {"ids": ids}
    more |= {"id": "key"} if ending == ".parquet" else {}
    found = rows(spark, kind="embeddings", path=folder, **more)
    assert order(found) == {f"ü{number}": number for number in range(15)}


@pytest.mark.parametrize("ending", [".ids.npy", ".ids.txt", ".txt", ".parquet"])
def test_ids_beside_parts_are_found_by_their_names(tmp_path, ending):
    folder = parts(tmp_path / "in")
    write_ids(folder, ending, "img_emb_{}")
    more = {"id": "key"} if ending == ".parquet" else {}
    found = open_parts(source(kind="embeddings", path=folder, **more), Place("source")).whole
    assert [part.first for part in found] == [0, 1, 3, 6, 10]
    assert [part.ids.rows(0, part.count).tolist() for part in found] == [
        ids_of(part.count, part.first) for part in found
    ]


def test_what_does_not_go_together_in_a_folder_is_told_early(tmp_path):
    folder, place = parts(tmp_path / "in"), "sources.web"
    vectors = {"kind": "embeddings", "path": folder}
    ids = tmp_path / "ids"
    write_ids(ids, ".txt")
    (ids / "metadata_11.txt").rename(ids / "metadata_12.txt")
    said = "metadata_12.txt would be the ids of img_emb_11.npy: files must have the same numbers in both"
    assert early(**vectors, ids=str(ids)) == f"{place}.ids {ids}: {said}"
    (ids / "metadata_12.txt").unlink()
    assert f"{ids} holds 4 files of ids for the 5 .npy files of {folder}" in early(**vectors, ids=str(ids))
    (ids / "metadata_11.txt").write_text("too few")
    assert f"{ids}/metadata_11.txt has 1 ids for 5 vectors" in early(**vectors, ids=str(ids))
    (ids / "x.parquet").write_bytes(b"")
    assert "holds files of several kinds, .parquet and .txt" in early(**vectors, ids=str(ids))
    assert "does not exist" in early(**vectors, ids=str(tmp_path / "gone"))
    assert early(**vectors, label="c").startswith(
        f"{place}.label: 'c' does not go with {folder}, whose .npy files have no"
    )
    (folder / "img_emb_1.txt").write_text("a\nb\n")
    assert "img_emb_0.npy has no ids beside it, and others have" in early(**vectors)
    (folder / "img_emb_1.txt").rename(folder / "other.txt")
    assert "other.txt belongs to no .npy file of its name" in early(**vectors)
    (folder / "other.txt").unlink()
    (folder / "img_emb_2.npy").write_bytes(b"rubbish!")
    assert f"{folder}/img_emb_2.npy is no .npy file" in early(**vectors)


def test_ids_beside_a_table_are_told_early(tmp_path):
    (tmp_path / "t").mkdir()
    message = early(kind="embeddings", path=tmp_path / "t", ids="ids")
    assert message.startswith("sources.web.ids: 'ids' does not go with ") and "which holds no .npy files" in message


def test_columns_of_ids_are_told_early(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((2, 2)))
    ids = tmp_path / "i.parquet"
    pq.write_table(pa.table({"key": ["a", None], "x": [0.5, 1.5]}), ids)
    vectors = {"kind": "embeddings", "path": tmp_path / "v.npy", "ids": str(ids)}
    assert early(**vectors).startswith(f"sources.web.id: {ids} has no column 'id'; ")
    assert "the column 'x' of" in early(**vectors, id="x")
    (part,) = open_parts(source(**vectors, id="key"), Place("source")).whole
    assert part.ids.rows(0, 2).tolist() == ["a", None]
    ids.write_bytes(b"rubbish")
    assert f"{ids} is no Parquet file" in early(**vectors)


@pytest.mark.parametrize(
    "ids", [np.array([b"a", "ü".encode("latin-1")]), np.array(["a", "x\ud800"]), np.array([b"\xc3", b"\xbc"])]
)
def test_ids_in_arrays_that_are_no_text_are_told_early(tmp_path, ids):
    np.save(tmp_path / "v.npy", np.ones((2, 2)))
    np.save(tmp_path / "i.npy", ids)
    message = early(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "i.npy"))
    assert message.startswith(f"sources.web.ids {tmp_path}/i.npy: a row from 0 to 1 is no UTF-8 text: ")


def test_whole_numbers_are_ids_up_to_the_bounds_of_a_bigint_wherever_they_come_from(spark, tmp_path):
    numbers = [(1 << 63) - 1, 1 << 63, (1 << 64) - 1, 10**18]
    np.save(tmp_path / "v.npy", np.ones((4, 2)))
    np.save(tmp_path / "i.npy", np.array(numbers, np.uint64))
    (tmp_path / "i.txt").write_text("\n".join(map(str, numbers)))
    for name in ("i.npy", "i.txt"):
        found = rows(spark, kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / name))
        assert {row[Col.key]: row[Col.given_id] for row in found} == {
            str(number): number if number < 1 << 63 else None for number in numbers
        }


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_id(tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 16)
    np.save(tmp_path / "v.npy", np.ones((3, 2), np.float32))
    (tmp_path / "i.txt").write_text("\ufeffa\r\nb\nc")
    vectors = source(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "i.txt"))
    (part,) = open_parts(vectors, Place("source")).whole
    assert [*part.ids.rows(0, 2), *part.ids.rows(2, 3)] == ["a", "b", "c"]


def test_a_table_that_holds_an_array_by_its_log_is_a_table(tmp_path):
    folder = parts(tmp_path / "in")
    (folder / "_delta_log").mkdir()
    check_source(source(kind="embeddings", path=folder, id="i"), Place("source"))
    with pytest.raises(InputError, match=r"no \.npy files"):
        check_source(source(kind="embeddings", path=folder, ids="x"), Place("source"))


def test_ids_of_a_folder_that_is_no_source_are_refused_when_it_is_read(spark, tmp_path):
    (tmp_path / "t").mkdir()
    assert "which holds no .npy files" in refusal(spark, kind="embeddings", path=tmp_path / "t", ids="ids")


def test_damaged_parts_are_refused_or_rejected_as_one_row_each(spark, tmp_path):
    folder = parts(tmp_path / "in")
    ids = write_ids(tmp_path / "ids", ".parquet")
    content = (folder / "img_emb_10.npy").read_bytes()
    (folder / "img_emb_10.npy").write_bytes(content[:-1])
    (tmp_path / "ids" / "metadata_0.parquet").write_bytes(b"rubbish")
    vectors = {"kind": "embeddings", "path": folder, "id": "key", "ids": ids}
    assert "metadata_0.parquet is no Parquet file" in early(**vectors)
    check_source(source(**vectors, damaged="skip"), Place("source"))
    found = rows(spark, **vectors, damaged="skip")
    whole = (1, 2, 3, 4, 5, 10, 11, 12, 13, 14)
    assert order(row for row in found if row[Col.reason] is None) == {f"ü{number}": number for number in whole}
    told = {row[Col.uri].rpartition("/")[2]: (row[Col.reason], row[Col.detail]) for row in found if row[Col.reason]}
    assert {name: reason for name, (reason, _) in told.items()} == {
        "img_emb_0.npy": "damaged_file",
        "img_emb_10.npy": "damaged_file",
    }
    assert "is cut off" in told["img_emb_10.npy"][1] and "no Parquet file" in told["img_emb_0.npy"][1]
    numbered = {"kind": "embeddings", "path": folder, "damaged": "skip"}
    check_source(source(**numbered), Place("source"))  # its header tells how many rows it had
    (folder / "img_emb_10.npy").write_bytes(b"")
    assert "img_emb_10.npy is no .npy file" in early(**numbered) and "damaged: skip needs ids" in early(**numbered)
    for path in folder.iterdir():
        path.write_bytes(b"rubbish")
    assert f"{folder}: no part can be read: " in early(**vectors, damaged="skip")


def test_parts_of_other_types_and_lengths_stop_no_others(spark, tmp_path):
    folder = parts(tmp_path / "in")
    np.save(folder / "img_emb_1.npy", np.ones((2, 3), np.int64))
    np.save(folder / "img_emb_2.npy", np.ones((3, 4)))
    np.save(folder / "img_emb_10.npy", np.ones(4))
    (folder / "img_emb_11.npy").write_bytes(b"")
    numbered = {"kind": "embeddings", "path": folder, "damaged": "skip"}
    found = rows(spark, **numbered)
    lengths = {row[Col.key]: len(row[Col.embedding]) for row in found if row[Col.reason] is None}
    assert lengths == {"0": 3, "3": 4, "4": 4, "5": 4}  # the numbers that they have beside whole parts
    told = {row[Col.uri].rpartition("/")[2]: row[Col.detail] for row in found if row[Col.reason] == "damaged_file"}
    assert told["img_emb_1.npy"] == "holds int64; it must hold float16, float32 or float64"
    assert told.keys() == {"img_emb_1.npy", "img_emb_10.npy", "img_emb_11.npy"}
    assert early(**{**numbered, "damaged": "refuse"}).startswith(f"sources.web.path {folder}/img_emb_1.npy holds int64")


def test_a_damaged_part_is_skipped_where_its_ids_are_left_aside(tmp_path):
    folder = parts(tmp_path / "in")
    (folder / "img_emb_0.npy").write_bytes(b"rubbish")
    ids = write_ids(tmp_path / "ids", ".txt")
    skipping = source(kind="embeddings", path=folder, ids=ids, damaged="skip")
    assert len(open_parts(skipping, Place("source"), is_without_ids=True).whole) == 4


def test_what_is_passed_over_beside_parts_is_told_and_endings_may_be_in_capitals(tmp_path):
    folder = parts(tmp_path / "in")
    for path in list(folder.iterdir()):
        path.rename(path.with_suffix(".NPY"))
    write_ids(folder, ".TXT", "img_emb_{}")
    (folder / "more").mkdir()
    for name in ("a.npz", "b.npy.gz", "c.npy.gz", ".d", "e"):
        (folder / name).write_bytes(b"x")
    vectors = source(kind="embeddings", path=folder)
    assert [part.count for part in open_parts(vectors, Place("source")).whole] == [1, 2, 3, 4, 5]
    assert open_parts(vectors, Place("source")).whole[1].ids.rows(0, 2).tolist() == ["ü1", "ü2"]
    found = passed_beside_parts(vectors, Place("source"))
    assert found == {".npz": 1, ".gz": 2, "dot files": 1, "sub-folders": 1, "files without an ending": 1}
