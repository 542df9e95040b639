"""What all parts of a configuration have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from equipoise.errors import nearest

HOW = "how"
"""Marks a key that changes how a stage works but not what it makes: ``Annotated[int, HOW]``."""


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


def identity(value: Any) -> Any:
    """What the result of a section depends on, as plain values: no key marked ``HOW``, none that has its default.

    So a key that comes with a later version changes no identity where nobody sets it.
    """
    match value:
        case Section():
            fields = type(value).model_fields.items()
            what = {name: getattr(value, name) for name, field in fields if HOW not in field.metadata}
            own = {
                name: one
                for name, one in what.items()
                if one != type(value).model_fields[name].get_default(call_default_factory=True)
            }
            return {name: identity(one) for name, one in (own | dict(value.model_extra or {})).items()}
        case dict():
            return {str(key): identity(one) for key, one in value.items()}
        case list() | tuple():
            return [identity(one) for one in value]
    return value


def shown(value: Any) -> Any:
    """The same with defaults, for people."""
    if isinstance(value, Section):
        how = {name for name, field in type(value).model_fields.items() if HOW in field.metadata}
        return {
            name: shown(getattr(value, name, None))
            for name in [*type(value).model_fields, *(value.model_extra or {})]
            if name not in how
        }
    return [shown(one) for one in value] if isinstance(value, list | tuple) else value
