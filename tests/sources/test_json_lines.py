"""JSON lines -> raw items, and what a line or a file may be that is none."""

import bz2
import gzip
import json

import pyarrow as pa
import pytest

from equipoise.schemas import Col
from equipoise.sources import json_files, json_lines
from sources.asked import refusal, rows

COMPRESSED = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": lambda it: pa.compress(it, "zstd", asbytes=True)}


def lines(path, *documents):
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in documents)
    path.write_bytes(COMPRESSED.get(path.suffix, bytes)(text.encode()))


def contents(found):
    return sorted(row[Col.content].decode() for row in found if row[Col.reason] is None)


def problems(found):
    return [(row[Col.reason], row[Col.detail]) for row in found if row[Col.reason] is not None]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json.gz", "a.ndjson.bz2", "a.jsonl.zst"])
def test_json_lines_are_items_keyed_by_their_text(spark, tmp_path, name):
    lines(tmp_path / name, {"text": "one", "topic": "x"}, {"text": "two", "topic": 5}, {"text": "one"})
    found = rows(spark, kind="texts", path=tmp_path, label="topic")
    contents = {(row[Col.content].decode(), row[Col.label]) for row in found}
    assert contents == {("one", "x"), ("one", None), ("two", "5")}
    assert len({row[Col.key] for row in found}) == 2
    assert all(row[Col.uri].endswith(name) and row[Col.n_bytes] == 3 for row in found)


def test_whole_number_ids_of_json_are_taken_and_others_are_keys(spark, tmp_path):
    lines(
        tmp_path / "a.jsonl",
        {"id": 7, "text": "a"},
        {"id": "-8", "text": "b"},
        {"id": "x7", "text": "c"},
        {"id": "007", "text": "d"},
    )
    found = {row[Col.key]: row[Col.given_id] for row in rows(spark, kind="texts", path=tmp_path / "a.jsonl", id="id")}
    assert found == {"7": 7, "-8": -8, "x7": None, "007": None}


def test_fields_of_json_are_kept_as_attributes(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "a", "region": "asia", "year": 7}, {"text": "b", "year": 8})
    found = rows(spark, kind="texts", path=tmp_path, attributes=["region", "year"])
    attributes = {row[Col.content]: row[Col.attributes] for row in found}
    assert attributes == {b"a": {"region": "asia", "year": "7"}, b"b": {"region": None, "year": "8"}}
    message = refusal(spark, kind="texts", path=tmp_path, attributes=["regoin"])
    assert "source.attributes.regoin" in message and "did you mean 'region'?" in message


def test_malformed_lines_and_lines_without_text_carry_a_reason(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "good"}, '{"text": "cut', {"other": 1}, {"text": None})
    reasons = sorted(str(row[Col.reason]) for row in rows(spark, kind="texts", path=tmp_path))
    assert reasons == ["None", "malformed_json", "missing_content", "missing_content"]


def test_a_missing_json_field_is_refused_with_the_nearest(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"texts": "a", "id": 1})
    message = refusal(spark, kind="texts", path=tmp_path)
    assert "'text'" in message and "did you mean 'texts'" in message


def test_json_lines_cannot_be_kept_by_reference(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "a"})
    assert "source.inline is false" in refusal(spark, kind="texts", path=tmp_path, inline=False)


def test_what_is_no_single_object_is_a_reject_that_says_why_and_where(spark, tmp_path):
    odd = [
        '{"text":"a"}{"text":"b"}',
        '{"text":"a"} rubbish',
        '["text"]',
        "7",
        '{"text":"c",}',
        '{"text":' + "[" * 3000,
    ]
    for number, line in enumerate(odd):
        lines(tmp_path / f"{number}.jsonl", {"text": "good"}, "", line, "  ", {"text": "good"})
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "good"}\n{"text": "\xfc"}\n')
    found = rows(spark, kind="texts", path=tmp_path)
    assert contents(found) == ["good"] * 13
    told = {row[Col.uri].rpartition("/")[2]: row[Col.detail] for row in found if row[Col.reason] == "malformed_json"}
    assert {name: detail.split(": ", 2)[1] for name, detail in told.items()} == {
        "0.jsonl": "a second value after the first value, at character 13",
        "1.jsonl": "something after the first value, at character 14",
        "2.jsonl": "an array, no object",
        "3.jsonl": "a text or a number, no object",
        "4.jsonl": "no JSON",
        "5.jsonl": "nested too deeply",
        "latin.jsonl": "no UTF-8 text",
    }
    assert told["2.jsonl"] == 'line at byte 18: an array, no object: ["text"]'
    assert len(told["5.jsonl"]) < 300


@pytest.mark.parametrize("ending", ["jsonl", "json.gz"])
def test_a_file_that_is_one_array_is_read_whole(spark, tmp_path, ending):
    array = [{"text": "a", "id": 1}, 5, {"text": "b", "id": 2}]
    for name, text in (("pretty", json.dumps(array, indent=1)), ("flat", json.dumps(array) + "\n"), ("none", " [ ] ")):
        lines(tmp_path / f"{name}.{ending}", text)
    lines(tmp_path / f"object.{ending}", json.dumps({"text": "c", "id": 3, "more": [{"text": "x"}]}, indent=1))
    found = rows(spark, kind="texts", path=tmp_path, id="id")
    assert contents(found) == ["a", "a", "b", "b", "c"]
    assert {row[Col.key] for row in found if row[Col.reason] is None} == {"1", "2", "3"}
    reasons = dict(problems(found))
    assert len(problems(found)) == 3 and reasons.keys() == {"malformed_json", "empty_file"}
    assert reasons["malformed_json"] == "element 1: a text or a number, no object: 5"
    assert reasons["empty_file"] == "there is no JSON object in it"


@pytest.mark.parametrize("text", ['[\n{"text": "a"},\n{"text": "b"}\n', '[{"text": "a"}\n{"text": "b"}]', "[[[[" * 999])
def test_a_broken_array_is_one_row_and_none_of_it_is_taken(spark, tmp_path, text):
    lines(tmp_path / "a.json", text)
    lines(tmp_path / "b.json", {"text": "good"})
    found = rows(spark, kind="texts", path=tmp_path)
    assert contents(found) == ["good"]
    ((reason, detail),) = problems(found)
    assert reason == "damaged_file" and detail.startswith("line ")


def test_an_array_that_is_too_large_says_how_to_make_lines_of_it(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "MOST_ARRAY_BYTES", 20)
    lines(tmp_path / "a.json", json.dumps([{"text": "a"}, {"text": "b"}]))
    found = list(json_files.documents(f"{tmp_path}/a.json", 0, 99, 32))
    ((reason, detail),) = [(one.reason, one.detail) for one in found]
    assert reason == "damaged_file" and "of more than 20 bytes" in detail and "jq -c '.[]'" in detail


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
def test_of_a_file_that_is_cut_off_no_line_is_taken(spark, tmp_path, ending):
    whole = COMPRESSED[ending]("".join(f'{{"text": "{number**9}"}}\n' for number in range(5000)).encode())
    (tmp_path / f"cut.jsonl{ending}").write_bytes(whole[:-9])
    lines(tmp_path / "good.jsonl", {"text": "good"})
    found = rows(spark, kind="texts", path=tmp_path)
    assert contents(found) == ["good"]
    ((reason, detail),) = problems(found)
    assert reason == "damaged_file" and detail == "Truncated compressed stream"
    (row,) = [row for row in found if row[Col.reason]]
    assert row[Col.key] == row[Col.uri]


def test_a_mark_of_the_byte_order_is_no_part_of_a_file(spark, tmp_path):
    for name, text in (
        ("a", '\ufeff{"id": 7, "text": "a"}\n\ufeff{"id": 8, "text": "b"}'),
        ("b", '\ufeff[{"text":"c"}]'),
    ):
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "c.json").write_text("\ufeff\n")
    found = rows(spark, kind="texts", path=tmp_path, id="id")
    assert {row[Col.key] for row in found if row[Col.content]} == {"7", "8", None}
    assert contents(found) == ["a", "b"]
    assert {reason for reason, _ in problems(found)} == {"empty_file", "missing_id"}


def test_lines_without_an_id_are_told_by_their_places(spark, tmp_path):
    lines(
        tmp_path / "a.jsonl", {"id": 7, "text": "a"}, {"text": "b"}, {"id": "", "text": "b"}, {"id": None, "text": "b"}
    )
    found = rows(spark, kind="texts", path=tmp_path, id="id")
    assert contents(found) == ["a"]
    starts = [detail.partition(" has no id: {")[0] for _, detail in sorted(problems(found))]
    assert starts == ["line at byte 23", "line at byte 37", "line at byte 61"]
    assert {(row[Col.key], row[Col.uri]) for row in found if row[Col.reason]} == {(None, f"file:{tmp_path}/a.jsonl")}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_every_line_is_read_once_wherever_ranges_are_cut(tmp_path, end, size):
    path = tmp_path / "a.jsonl"
    text = "".join(json.dumps({"text": "ü" * number}) + end * (1 + number % 2) for number in range(25))
    path.write_bytes(text.encode().removesuffix(end.encode()))
    n_bytes = path.stat().st_size
    found = [
        one
        for start in range(0, n_bytes, size)
        for one in json_files.documents(str(path), start, start + size, n_bytes)
    ]
    assert [one.value.text("text") for one in found] == ["ü" * number for number in range(25)]


def test_large_files_are_cut_and_arrays_are_not(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "RANGE_BYTES", 200)
    monkeypatch.setattr(json_lines, "_FILE_BYTES", 1)
    documents = [{"text": f"text {number}"} for number in range(40)]
    lines(tmp_path / "a.jsonl", *documents)
    lines(tmp_path / "b.jsonl.gz", *documents)
    lines(tmp_path / "c.json", json.dumps(documents, indent=2))
    found = rows(spark, kind="texts", path=tmp_path)
    assert contents(found) == sorted(3 * [one["text"] for one in documents]) and problems(found) == []


def test_a_line_without_end_is_a_reject_and_the_next_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "MOST_LINE_BYTES", 30)
    lines(tmp_path / "a.jsonl", {"text": "x" * 99}, {"text": "y"})
    long, good = json_files.documents(f"{tmp_path}/a.jsonl", 0, 999, 126)
    assert (long.reason, long.detail) == ("malformed_json", "line at byte 0: longer than 30 bytes")
    assert (good.place, good.value.text("text")) == ("line at byte 112", "y")


def test_a_field_that_the_first_lines_lack_is_there(spark, tmp_path):
    lines(tmp_path / "a.jsonl", *[{"text": str(number)} for number in range(30)], {"text": "x", "topic": "t"})
    found = rows(spark, kind="texts", path=tmp_path, label="topic")
    assert {row[Col.label] for row in found if row[Col.content] == b"x"} == {"t"}
    assert sum(row[Col.label] is None for row in found) == 30
    message = refusal(spark, kind="texts", path=tmp_path, label="topik")
    assert message.startswith("source.label") and "has no column 'topik'; did you mean 'topic'?" in message


def test_names_of_fields_are_data(spark, tmp_path):
    odd = ["_metadata", "a.b", "tick`ed", "Text", "TEXT", "a b", "", "_broken"]
    lines(tmp_path / "a.jsonl", {"text": "a", **{name: f"of {name}" for name in odd}})
    named = [name for name in odd if name]  # a config names none of no letters
    (found,) = rows(spark, kind="texts", path=tmp_path, id="a.b", label="tick`ed", attributes=named)
    assert (found[Col.key], found[Col.label], found[Col.content]) == ("of a.b", "of tick`ed", b"a")
    assert found[Col.attributes] == {name: f"of {name}" for name in named}
    (found,) = rows(spark, kind="texts", path=tmp_path, text="Text")
    assert found[Col.content] == b"of Text"


def test_values_that_are_no_text_are_as_they_were_written(spark, tmp_path):
    written = ["1.50", "1e3", '{"a": 1.0,  "b":[1, 2]}', "true", "12345678901234567890123", "[ ]", "NaN", "-0"]
    lines(tmp_path / "a.jsonl", *[f'{{"x": [1], "text" : {one} , "y": {{}} }}' for one in written])
    assert contents(rows(spark, kind="texts", path=tmp_path)) == sorted(written)
    lines(tmp_path / "a.jsonl", r'{"text": "cut \ud83d"}', '{"text": "a", "text": "b"}')
    assert contents(rows(spark, kind="texts", path=tmp_path)) == ["b", "cut ?"]


def test_whole_numbers_are_ids_up_to_the_bounds_of_a_bigint(spark, tmp_path):
    bound = 1 << 63
    numbers = [bound - 1, bound, -bound, -bound - 1, 10**18, -(10**18), 10**19 - 1, 10**19, 0]
    lines(tmp_path / "a.jsonl", *[{"id": one, "text": "a"} for one in numbers])
    found = {int(row[Col.key]): row[Col.given_id] for row in rows(spark, kind="texts", path=tmp_path, id="id")}
    assert found == {one: one if -bound <= one < bound else None for one in numbers}
