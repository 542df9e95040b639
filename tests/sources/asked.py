"""Sources as the config has them, what they yield, and what is said where they cannot."""

import pytest
from pydantic import TypeAdapter

from equipoise.config import Place, Source
from equipoise.errors import InputError
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col
from equipoise.sources.reading import raw_items


def source(**values):
    return TypeAdapter(Source).validate_python({key: str(v) if key == "path" else v for key, v in values.items()})


def rows(spark, **values):
    raw = raw_items(spark, source(**values), Place("source"))
    assert raw.columns[: len(RAW.names)] == RAW.names
    return sorted(raw.collect(), key=lambda row: str(row[Col.key]))


def refusal(spark, *, place="source", **values):
    with pytest.raises(InputError) as caught:
        raw_items(spark, source(**values), Place(place)).collect()
    message = str(caught.value)
    assert "\n" not in message
    return message
