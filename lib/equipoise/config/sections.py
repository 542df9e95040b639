"""What all parts of a configuration have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from equipoise.errors import nearest


class Section(BaseModel):
    """A part of the configuration: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, values: Any) -> Any:
        if isinstance(values, dict) and cls.model_config.get("extra") == "forbid":
            for key in values.keys() - cls.model_fields.keys():
                raise ValueError(f"unknown key {key!r}; {nearest(str(key), cls.model_fields)}")
        return values
