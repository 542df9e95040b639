"""What a config may say of tar shards and of lists of what is blocked."""

import pytest
from pydantic import TypeAdapter, ValidationError

from equipoise.config import Source


@pytest.mark.parametrize(
    "values, said",
    [
        ({"block": {}}, "block names no list: give it a file of domains or of urls, or drop it"),
        ({"block": {"domain": "d"}}, "unknown key 'domain'; did you mean 'domains'"),
        ({"kind": "images", "block": {"domains": "d"}}, "unknown key 'block'"),
        ({"kind": "table", "content": "c", "block": {"domains": "d"}}, "block: of which column are the pages?"),
        ({"extensions": ["*.png"]}, "'*.png' is no ending of a file name"),
    ],
)
def test_mistakes_about_shards_and_lists_are_told(values, said):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Source).validate_python({"kind": "webdataset", "path": "p", **values})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "values, field",
    [
        ({"kind": "webdataset"}, "url"),
        ({"kind": "texts", "block": {"urls": "u", "url": "page"}}, "page"),
        ({"kind": "table", "uri": "u"}, "u"),
        ({"kind": "table", "uri": "u", "attributes": ["url"]}, "url"),
        ({"kind": "webdataset", "block": None}, None),
    ],
)
def test_the_field_of_pages_is_known(values, field):
    section = TypeAdapter(Source).validate_python({"path": "p/web.tar", "block": {"domains": "d"}, **values})
    assert section.url_field == field and section.own_name == "web"
