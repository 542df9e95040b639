"""Members of tar files: where they lie, what is wrong with them, and that nothing between is read."""

import gzip
import io
import tarfile
from collections import Counter

import pytest

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline import tar_members
from equipoise.pipeline.content import read_bytes
from equipoise.pipeline.tar_members import Member, member_of
from equipoise.sources import tar_files
from equipoise.sources.tar_files import DamagedTarError, TarReader, opened_tar
from sources.shards import added, sparse, tarred

ODD = [
    "plain.jpg",
    "a b%20c.jpg",
    "grüße/日本🎉.png",
    "line\nbreak.jpg",
    "x.tar!/y.jpg",
    "!/z.jpg",
    f"deep/{'d' * 90}/{'n' * 120}.jpg",
    f"{'ü' * 80}.png",
]
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def walked(path):
    """The entries of a tar file, and what it is damaged by."""
    found = []
    with opened_tar(str(path)) as reader:
        try:
            for entry in reader.entries():
                found.append(entry)
        except DamagedTarError as error:
            return found, str(error)
    return found, None


@pytest.mark.parametrize("form", FORMATS)
def test_every_member_is_read_by_its_uri_alone_whatever_its_name(tmp_path, form):
    contents = {name: f"{name} {'x' * (700 * number)}".encode() for number, name in enumerate(ODD)}
    path = tarred(tmp_path / "a b%.tar", contents, form=FORMATS[form])
    found, damage = walked(path)
    assert damage is None and [entry.name for entry in found] == ODD
    for entry in found:
        member = Member(f"file:{path}", entry.name, entry.offset, entry.n_bytes)
        assert read_bytes(member.uri) == contents[entry.name]
        assert member_of(member.uri) == member and member.key == f"tar:file:{path}!/{entry.name}"
        assert not entry.passed and not entry.reason


def test_a_member_is_read_without_the_rest(tmp_path, monkeypatch):
    asked = []

    class File:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read_at(self, n_bytes, start):
            asked.append((n_bytes, start))
            return content[start : start + n_bytes]

    class Files:
        def open_input_file(self, path):
            return File()

    path = tarred(tmp_path / "a.tar", {"a.jpg": b"a" * 9000, "b.jpg": b"b" * 700})
    content = path.read_bytes()
    (_, entry), _ = walked(path)
    monkeypatch.setattr(tar_members, "locate", lambda uri: (Files(), uri))
    assert read_bytes(Member(str(path), "b.jpg", entry.offset, 700).uri) == b"b" * 700
    assert asked == [(512 + 700, entry.offset - 512)]


def test_the_headers_of_large_members_are_found_without_reading_what_lies_between(tmp_path):
    class Counted(io.FileIO):
        n_bytes = 0

        def readinto(self, buffer):
            n_read = super().readinto(buffer)
            Counted.n_bytes += n_read
            return n_read

    path = tarred(tmp_path / "a.tar", {f"{number}.jpg": bytes([7]) * 1_000_000 for number in range(20)})
    n_bytes = path.stat().st_size
    with io.BufferedReader(Counted(path), 4096) as file:
        assert len(list(TarReader(file, n_bytes).entries())) == 20
    assert Counted.n_bytes < 25 * 4096 + 20_000 < n_bytes / 50


@pytest.mark.parametrize(
    "change",
    [
        lambda path: tarred(path, {"other.jpg": b"o" * 700, "b.jpg": b"b"}),
        lambda path: tarred(path, {"a.jpg": b"a" * 9, "b.jpg": b"c" * 8}),
        lambda path: path.write_bytes(path.read_bytes()[:1200]),
        lambda path: path.write_bytes(b"x" * 5000),
    ],
)
def test_a_member_of_a_tar_file_that_was_written_anew_is_not_taken_for_what_lies_there_now(tmp_path, change):
    path = tarred(tmp_path / "a.tar", {"a.jpg": b"a" * 9, "b.jpg": b"b" * 700})
    (_, entry), _ = walked(path)
    uri = Member(f"file:{path}", "b.jpg", entry.offset, 700).uri
    assert read_bytes(uri) == b"b" * 700
    change(path)
    with pytest.raises(UnreadableItem, match=r"written anew since it was listed: b\.jpg is not at byte 1,536"):
        read_bytes(uri)


@pytest.mark.parametrize("uri", ["tar:file:/a.tar!/b", "tar:1+2:file:/a.zip!/b", "tar:9+1:file:/gone.tar!/b"])
def test_a_uri_of_no_member_is_unreadable(uri):
    with pytest.raises(UnreadableItem) as caught:
        read_bytes(uri)
    assert caught.value.reason == "unreadable_file"


def test_what_is_no_plain_file_is_told_by_its_kind(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (
            ("folder", tarfile.DIRTYPE),
            ("soft.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("pipe.jpg", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "x"
            tar.addfile(info)
        for name in ("._x.jpg", "folder/.DS_Store", ".thumbs/x.jpg", "./x.jpg"):
            added(tar, name, b"x")
    found, damage = walked(tmp_path / "a.tar")
    assert damage is None
    assert Counter(entry.passed for entry in found) == {
        "folders in shards": 1,
        "links in shards": 2,
        "pipes, sockets and devices": 1,
        "dot files": 2,
        "dot folders": 1,
        None: 1,
    }


def test_members_that_cannot_be_used_say_why(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w", errors="surrogateescape") as tar:
        added(tar, "caf\udce9.jpg", b"x")
        added(tar, "empty.jpg", b"")
        sparse(tar, "holes.jpg")
        added(tar, "after.jpg", b"y")
    found, damage = walked(tmp_path / "a.tar")
    assert damage is None
    assert [(entry.name, entry.reason) for entry in found] == [
        ("caf\\xe9.jpg", "unreadable_name"),
        ("empty.jpg", "empty_file"),
        ("holes.jpg", "unreadable_file"),
        ("after.jpg", None),
    ]
    assert "stored with holes" in found[2].detail


@pytest.mark.parametrize(
    "damaged, n_left, said",
    [
        (lambda whole: whole[: 1024 + 512 + 100], 1, "cut off inside b.jpg, at byte 1,636"),
        (lambda whole: whole[:1024], 1, "cut off at byte 1,024: the mark of its end is missing"),
        (lambda whole: whole[:1100], 1, "damaged or cut off at byte 1,024: "),
        (lambda whole: whole[:1024] + b"\xff" * 512 + whole[1536:], 1, "damaged or cut off at byte 1,024: "),
        (lambda whole: b"no tar file at all" * 99, 0, "it is no tar file: "),
        (gzip.compress, 0, "it is compressed (gzip): no member of it can be read by itself; unpack it"),
        (lambda whole: whole[:124] + b"\x80" + b"\x7f" * 11 + whole[136:], 0, "it is no tar file: "),
    ],
)
def test_a_damaged_tar_file_gives_what_comes_before_and_says_where(tmp_path, damaged, n_left, said):
    path = tarred(tmp_path / "a.tar", {name: name.encode() * 40 for name in ("a.jpg", "b.jpg", "c.jpg")})
    path.write_bytes(damaged(path.read_bytes()))
    found, damage = walked(path)
    assert [entry.name for entry in found] == ["a.jpg", "b.jpg"][:n_left]
    assert damage is not None and said in damage


def test_a_header_that_asks_for_all_memory_is_damage(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    first = tarred(tmp_path / "a.tar", {"a.jpg": b"a"}).read_bytes()[:1024]
    (tmp_path / "a.tar").write_bytes(first + info.tobuf(tarfile.GNU_FORMAT) + bytes(20_000))
    found, damage = walked(tmp_path / "a.tar")
    assert len(found) == 1 and damage is not None and "a header of 8,589,934,592 bytes" in damage


def test_archives_that_were_joined_are_read_to_the_last(tmp_path):
    parts = [tarred(tmp_path / f"{name}.tar", {f"{name}.jpg": b"x"}).read_bytes() for name in "ab"]
    (tmp_path / "ab.tar").write_bytes(b"".join(parts))
    found, damage = walked(tmp_path / "ab.tar")
    assert damage is None and [entry.name for entry in found] == ["a.jpg", "b.jpg"]
    (tmp_path / "none.tar").write_bytes(bytes(10_240))
    assert walked(tmp_path / "none.tar") == ([], None)


def test_members_are_not_held(tmp_path, monkeypatch):
    """The list that ``tarfile`` keeps of them would grow with the shard."""
    kept = []
    walk = tar_files.TarReader._walk
    monkeypatch.setattr(tar_files.TarReader, "_walk", lambda self: kept.append(walk(self)) or kept[0])
    path = tarred(tmp_path / "a.tar", {f"{number}.jpg": b"x" for number in range(50)})
    found, _ = walked(path)
    assert len(found) == 50 and len(kept[0].members) <= 1
