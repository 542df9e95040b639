"""Whether a file is one JSON value or JSON lines, by its beginning, whatever its size."""

import json

import pytest

from equipoise.sources import json_files
from equipoise.sources.json_values import spans_lines

LONG = json.dumps({"text": "x" * 70_000})


@pytest.mark.parametrize(
    "text",
    [
        '{"data": [\n{"text": "a"},\n{"text": "b"}\n]}',
        '{"data": [\n' + '{"text": "a"},\n' * 4000 + '{"te',
        f'{{"data": [\n{LONG[:65_000]}',
        f'{{"data": [{LONG},\n{{"text": "a"}},\n{{"text"',
        '{"data": [\n{"text": "a"},\n{"text" "b"}\n]}',
        '{"a": 1,\n"b": 2}',
        '[{"a": 1},\n{"b": 2}\n,{"c": 3}]',
        '[{"text": "a"}\n{"text": "b"}]',
    ],
)
def test_a_value_that_its_first_line_does_not_end_is_the_whole_of_a_file(text):
    assert spans_lines(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "a",\n{"text": "b"}\n{"text": "c"}',
        '{"text": [1,\n{"text": "b"}\n{"text": "c"}\n',
        '{"text": "cut\n{"text": "b"}',
        '{"a": [',
        f"{LONG}\n{LONG}",
        '["text"]\n{"text": "a"}',
    ],
)
def test_a_broken_first_line_before_others_is_one_of_lines(text):
    assert not spans_lines(text)


@pytest.mark.parametrize("n_elements", [3, 20_000])
@pytest.mark.parametrize("first", ["", f"{LONG},"])
def test_an_object_of_many_elements_a_line_each_is_one_object_at_any_size(tmp_path, n_elements, first):
    elements = ",\n".join(f'{{"text": "{number:020}"}}' for number in range(n_elements))
    path = tmp_path / "a.json"
    path.write_text(f'{{"data": [{first}\n{elements}\n]}}')
    n_bytes = path.stat().st_size
    half = n_bytes // 2
    (whole,) = json_files.documents(str(path), 0, half, n_bytes)
    assert whole.place == "element 0" and whole.reason is None and list(whole.value.fields) == ["data"]
    assert not list(json_files.documents(str(path), half, n_bytes, n_bytes))


def test_what_is_wrong_with_a_file_of_json_does_not_repeat_where_it_is(tmp_path):
    (tmp_path / "a.json").mkdir()
    ((*_, reason, detail),) = json_files.documents(f"file:{tmp_path}/a.json", 0, 9, 9)
    assert reason == "damaged_file" and str(tmp_path) not in detail and "the file" in detail
