"""What all parts of a configuration have in common."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from equipoise.config.kinds import misfits
from equipoise.errors import nearest

HOW = "how"
"""Marks a key that changes how a stage works but not what it makes: ``Annotated[int, HOW]``."""
TOLD = "told"
"""Marks a key that changes nothing, and is recorded for people: ``Annotated[str | None, TOLD]``."""
LONGEST_NAME = 160
"""Bytes: names are parts of run ids and of the names of folders, which take 255."""


def _fits_a_folder(name: str) -> str:
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"must be at most {LONGEST_NAME} bytes long")
    return name


ShortText = Annotated[str, AfterValidator(_fits_a_folder)]
"""A text that becomes part of a folder's name."""
Name = Annotated[ShortText, Field(pattern=r"^[\w\-]+$")]
"""What a source, an encoder, a selection, a benchmark or a model is called."""
Count = Annotated[int, Field(gt=0, lt=2**31)]
"""How many there are of something: at least one."""


class Section(BaseModel):
    """A part of the configuration: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, values: Any) -> Any:
        if isinstance(values, dict) and cls.model_config.get("extra") == "forbid":
            for key in values.keys() - cls.model_fields.keys():
                raise ValueError(f"unknown key {key!r}; {nearest(str(key), cls.model_fields)}")
        return values

    @model_validator(mode="before")
    @classmethod
    def _values_are_of_their_kind(cls, values: Any) -> Any:
        fields = cls.model_fields.items() if isinstance(values, dict) else ()
        found = [
            problem
            for name, field in fields
            if name in values
            for problem in misfits(values[name], field.annotation, (name,))
        ]
        if found:  # pydantic sets them behind the place of this section
            raise ValidationError.from_exception_data(cls.__name__, found)
        return values


def identity(value: Any) -> Any:
    """What the result of a section depends on, as plain values: no key marked ``HOW`` or ``TOLD``, no default.

    So a key that comes with a later version changes no identity where nobody sets it.
    """
    match value:
        case Section():
            fields = type(value).model_fields.items()
            what = {name: getattr(value, name) for name, field in fields if not {HOW, TOLD} & {*field.metadata}}
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
