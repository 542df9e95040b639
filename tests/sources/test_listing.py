"""What lies below a path: every file is found, passed over by name, or cannot be used; no Spark."""

import json
import os
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pytest
from pyarrow import fs

from equipoise.sources import listing, surveying
from equipoise.sources.listing import Folder, Found
from equipoise.sources.surveying import MOST_KINDS, few_kinds, files_listed, kinds_listed, shown, survey

SUFFIXES = (".png", ".jsonl.gz")


def write(folder, *names, content=b"x"):
    for name in names:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def names(found, folder):
    return sorted(one.uri.removeprefix(f"file:{folder}/") for one in found)


def surveyed(folder, **bounds):
    return survey(f"file:{folder}", SUFFIXES, **bounds)


def test_files_are_taken_by_their_ending_in_any_case_whatever_they_begin_with(tmp_path):
    write(tmp_path, "_MG_0001.PNG", "_sub/a.png", "a.JsonL.gz", "b.c.png", "class=3/_x.png")
    found = surveyed(tmp_path)
    assert names(found.found, tmp_path) == ["_MG_0001.PNG", "_sub/a.png", "a.JsonL.gz", "b.c.png", "class=3/_x.png"]
    assert not found.passed and not found.left


def test_a_folder_of_zarrs_is_one_item_where_such_are_asked_for(tmp_path):
    write(tmp_path, "a.ZARR/zarr.json", "a.ZARR/c/0/0", "sub/b.zarr/.zgroup", "c.npy", ".d.zarr/zarr.json")
    found = survey(f"file:{tmp_path}", (".npy", ".zarr"))
    assert names(found.found, tmp_path) == ["a.ZARR", "c.npy", "sub/b.zarr"] and found.passed == {"dot folders": 1}
    assert surveyed(tmp_path).passed == {
        ".json": 1,
        "files without an ending": 1,
        "dot files": 1,
        ".npy": 1,
        "dot folders": 1,
    }


@pytest.mark.parametrize("mark", ["zarr.json", ".zarray", ".zgroup"])
def test_a_zarr_that_is_the_source_itself_may_have_any_name(tmp_path, mark):
    write(tmp_path, mark, "c/0")
    assert survey(f"file:{tmp_path}", (".zarr",)).found == [Found(f"file:{tmp_path}")]
    assert survey(f"file:{tmp_path}", (".npy",)).found == []


def test_all_other_files_are_counted_by_ending_or_by_what_they_are(tmp_path):
    write(tmp_path, "a.zst", "sub/b.ZST", "c.gz", "notes", "end.", ".DS_Store", ".git/HEAD", "_delta_log/0.jsonl.gz")
    write(tmp_path, "not.a real ending")
    os.symlink(tmp_path / "gone.png", tmp_path / "x.png")
    os.symlink("itself.png", tmp_path / "itself.png")
    os.mkfifo(tmp_path / "pipe.png")  # whoever opened it would wait for ever
    assert surveyed(tmp_path).found == []
    assert surveyed(tmp_path).passed == {
        ".zst": 2,
        ".gz": 1,
        "files without an ending": 3,
        "dot files": 1,
        "dot folders": 1,
        "folders of Spark's own": 1,
        "dangling links": 2,
        "pipes, sockets and devices": 1,
    }


def test_a_folder_that_is_linked_to_its_parent_gives_every_file_once(tmp_path):
    write(tmp_path, "in/a/1.png", "in/2.png", "beside/3.png", ".store/4.png")
    for link, target in {"a/up": "in", "a/root": "", "b": "in/a", "out": "beside", "hidden": ".store"}.items():
        os.symlink(tmp_path / target, tmp_path / "in" / link)
    os.symlink(tmp_path / "in", tmp_path / "beside" / "back")
    os.symlink(tmp_path / ".store", tmp_path / ".store" / "self")
    found = surveyed(tmp_path / "in")
    # What is linked from elsewhere is listed under its link, as before.
    assert names(found.found, tmp_path / "in") == ["2.png", "a/1.png", "hidden/4.png", "out/3.png"]
    assert found.passed == {listing.LINKED_TWICE: 5}


def test_a_link_to_what_a_dot_folder_hides_is_followed(tmp_path):
    write(tmp_path, ".objects/deep/1.png")
    os.symlink(tmp_path / ".objects" / "deep", tmp_path / "shown")
    os.symlink(tmp_path, tmp_path / ".objects" / "deep" / "back")
    assert names(surveyed(tmp_path).found, tmp_path) == ["shown/1.png"]


def test_a_link_to_a_file_is_a_file(tmp_path):
    write(tmp_path, "store/blob")
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "store/blob", tmp_path / "in/a.png")
    (found,) = surveyed(tmp_path / "in").found
    assert (found.uri, found.n_bytes, found.reason) == (f"file:{tmp_path}/in/a.png", 1, None)


def test_files_that_cannot_be_used_carry_their_reason(tmp_path):
    write(tmp_path, "empty.png", content=b"")
    write(tmp_path, b"caf\xe9.png", b"d\xff/a.png", "good.png")
    found = {one.uri.removeprefix(f"file:{tmp_path}/"): one.reason for one in surveyed(tmp_path).found}
    assert found == {
        "empty.png": "empty_file",
        "caf\\xe9.png": "unreadable_name",
        "d\\xff/a.png": "unreadable_name",
        "good.png": None,
    }


def test_a_folder_that_may_not_be_read_is_one_that_cannot_be_used(tmp_path, monkeypatch):
    write(tmp_path, "a.png", "locked/b.png")
    scan = os.scandir

    def denied(path):
        if path.endswith(b"locked"):
            raise PermissionError(13, "Permission denied")  # root may read everything
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert {(one.reason, one.detail) for one in surveyed(tmp_path).found} == {
        (None, None),
        ("unreadable_folder", "PermissionError: Permission denied"),
    }


@pytest.mark.parametrize("name", ["my set [1]", "cu{a,b}", "q?", "st*r", "a b%20c", "*"])
def test_a_path_takes_no_neighbours(tmp_path, name):
    write(tmp_path, f"{name}/a.png", "my set 1/b.png", "cua/b.png", "qq/b.png", "stXr/b.png")
    assert [one.uri for one in surveyed(tmp_path / name).found] == [f"file:{tmp_path}/{name}/a.png"]


def test_one_file_is_a_source_if_it_ends_like_one(tmp_path):
    write(tmp_path, "a.png", "b.txt")
    assert names(surveyed(tmp_path / "a.png").found, tmp_path) == ["a.png"]
    assert surveyed(tmp_path / "b.txt").passed == {".txt": 1}
    with pytest.raises(FileNotFoundError):
        surveyed(tmp_path / "c.png")


def test_names_are_utf_8_whatever_the_locale(tmp_path):
    write(tmp_path, "grüße/日本.png", b"\xe9.png")
    code = (
        "import json, sys; from equipoise.sources.surveying import survey\n"
        "print(json.dumps([(one.uri, one.reason) for one in survey(sys.argv[1], ('.png',)).found]))"
    )
    for locale in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        call = [sys.executable, "-c", code, f"file:{tmp_path}"]
        answer = subprocess.run(call, env={**os.environ, **locale}, capture_output=True, check=True).stdout
        found = dict(json.loads(answer))
        assert found == {f"file:{tmp_path}/grüße/日本.png": None, f"file:{tmp_path}/\\xe9.png": "unreadable_name"}


def in_tasks(left):
    hands = [[folder] for folder in left]
    numbers = pa.RecordBatch.from_pydict({"id": list(range(len(hands)))})
    rows = [row for batch in files_listed([numbers], hands=hands, suffixes=SUFFIXES) for row in batch.to_pylist()]
    kinds: Counter[str] = Counter()
    for batch in kinds_listed([numbers], hands=hands, suffixes=SUFFIXES):
        kinds.update(dict(zip(*batch.to_pydict().values(), strict=True)))
    return [Found(*row.values()) for row in rows], kinds


@pytest.mark.parametrize(
    "bounds", [{"most_files": 0}, {"most_files": 4}, {"most_folders": 0}, {"most_folders": 1}, {"most_folders": 20}]
)
@pytest.mark.parametrize("n_enough", [1, 1000])
def test_tasks_list_what_the_driver_leaves_and_nothing_twice(tmp_path, monkeypatch, bounds, n_enough):
    monkeypatch.setattr(surveying, "_ENOUGH_FOLDERS", n_enough)
    write(tmp_path, *(f"{a}/{b}/{n}.png" for a in range(5) for b in range(4) for n in range(3)), "1.png", "2.png")
    write(tmp_path, "a.txt", "1/b.txt", "4/3/c.txt", ".d/e.png")
    write(tmp_path, "2/empty.png", content=b"")
    os.symlink(tmp_path, tmp_path / "3" / "back")
    whole = surveyed(tmp_path)
    part = surveyed(tmp_path, **bounds)
    rows, kinds = in_tasks(part.left)
    assert part.left
    assert sorted([*part.found, *rows]) == sorted(whole.found) and len(whole.found) == 63
    assert part.passed + kinds == whole.passed == {".txt": 3, "dot folders": 1, listing.LINKED_TWICE: 1}


def test_a_store_is_listed_by_the_same_rules(tmp_path, monkeypatch):
    write(tmp_path, "bucket/in/_sub/a.PNG", "bucket/in/.hidden/b.png", "bucket/in/d.zst", "bucket/in/.e.png")
    write(tmp_path, "bucket/in/c.png", content=b"")
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    monkeypatch.setattr(listing, "locate", lambda uri: (store, uri.removeprefix("s3://")))
    found = survey("s3://bucket/in", SUFFIXES)
    assert {(one.uri, one.n_bytes, one.reason) for one in found.found} == {
        ("s3://bucket/in/_sub/a.PNG", 1, None),
        ("s3://bucket/in/c.png", 0, "empty_file"),
    }
    assert found.passed == {"dot folders": 1, "dot files": 1, ".zst": 1}
    with pytest.raises(FileNotFoundError):
        survey("s3://bucket/gone", SUFFIXES)


def test_kinds_are_shown_the_most_frequent_first_and_few():
    assert shown({".zst": 2, "dot files": 1200}) == "dot files (1,200), .zst (2)"
    counts = {f".{number}": number for number in range(1, MOST_KINDS + 3)}
    few = few_kinds(counts)
    assert len(few) == MOST_KINDS + 1 and few["other endings"] == 1 + 2
    assert few_kinds({}) == {}


def test_a_folder_that_was_removed_meanwhile_has_no_files(tmp_path):
    assert list(listing.entries(Folder(f"file:{tmp_path}/gone", f"{tmp_path}/gone"), SUFFIXES)) == []
