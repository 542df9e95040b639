"""Sources as the config has them, what they yield, and what is said where they cannot."""

import pytest
from pydantic import TypeAdapter

from equipoise.config import Place, Source
from equipoise.errors import InputError
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col
from equipoise.sources.reading import raw_items, read_carefully


def source(**values):
    return TypeAdapter(Source).validate_python({key: str(v) if key == "path" else v for key, v in values.items()})


def collected(spark, one, place):
    def read(is_careful):
        raw = raw_items(spark, one, place, is_careful=is_careful)
        assert raw.columns[: len(RAW.names)] == RAW.names
        return raw.collect()

    return read_carefully(one, read)


def rows(spark, **values):
    return sorted(collected(spark, source(**values), Place("source")), key=lambda row: str(row[Col.key]))


def refusal(spark, *, place="source", **values):
    with pytest.raises(InputError) as caught:
        collected(spark, source(**values), Place(place))
    message = str(caught.value)
    assert "\n" not in message
    return message
