"""Pictures as models for images read them: resized, cropped and scaled as torchvision does it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from equipoise.encoders.arrays import FloatPicture
from equipoise.encoders.images import decode_picture
from equipoise.errors import ConfigError

Picture = TypeVar("Picture", bound=Image.Image | FloatPicture)
Side = Annotated[int, Field(gt=0, le=4096, strict=True)]
Resize = Literal["square", "shortest_side"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Channels = tuple[float, float, float]
Deviations = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of red, green and blue from 0 to 1, over ImageNet: what most models were trained with."""
LONGEST = 16
"""Of a picture that is longer than so many times its width the middle is taken: a line would fill the memory."""


class Preparation(BaseModel):
    """How a picture becomes what a model reads.

    Attributes:
        size: pixels of a side, after resizing.
        resize: ``square``: both sides become ``size``, whatever the proportions were. ``shortest_side``: that one
            does, and the proportions stay.
        crop: then the middle is taken, so many pixels of a side; None: all of it.
        interpolation: of resizing; all but ``nearest`` average over what falls into a pixel.
        mean: subtracted from red, green and blue from 0 to 1.
        std: what is left is divided by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    size: Side
    resize: Resize = "square"
    crop: Side | None = None
    interpolation: Interpolation = "bilinear"
    mean: Channels = IMAGENET_MEAN
    std: Deviations = IMAGENET_STD

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop is not None and self.crop > self.size:
            raise ValueError(f"crop is {self.crop}, beyond the size, {self.size}, to which a picture is resized before")
        return self

    @classmethod
    def of(cls, options: Mapping[str, Any], *, encoder: str) -> Self:
        """From an encoder's options: those that are not of a preparation are left alone.

        Raises:
            ConfigError: a value that is of another type, out of range, or does not go with another.
        """
        try:
            return cls(**{name: value for name, value in options.items() if name in cls.model_fields})
        except ValidationError as error:
            first = error.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            if first["loc"]:
                name = str(first["loc"][0])
                said = f"{name} is {options[name]!r}: {said[:1].lower()}{said[1:]}"
            raise ConfigError(f"encoder {encoder}: {said}") from error

    @property
    def side(self) -> int:
        """Of a picture as the model is given it, the shortest one, in pixels."""
        return self.crop or self.size

    def pixels(self, content: bytes) -> NDArray[Any]:
        """A picture's file, decoded, resized and cropped: (height, width, 3) uint8; of an array float32, 1 being 255.

        Raises:
            UnreadableItem: ``unreadable_image``, ``unreadable_array``.
        """
        image = decode_picture(content, "RGB")
        if self.resize == "shortest_side":
            image = without_length(image)
        wanted = self._resized(*image.size)
        if image.size != wanted:
            image = image.resize(wanted, Image.Resampling[self.interpolation.upper()])
        if self.crop is not None:
            image = _middle(image, self.crop, self.crop)
        return np.asarray(image) if isinstance(image, Image.Image) else image.layers * np.float32(255)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.resize == "square":
            return self.size, self.size
        if width <= height:
            return self.size, int(self.size * height / width)
        return int(self.size * width / height), self.size


def expressible(own: Mapping[str, Any], given: Mapping[str, Any], *, told: str, encoder: str) -> dict[str, Any]:
    """A model's own preparation as options, those that are ``given`` left out.

    Args:
        own: by option; None stands for a way that none of ours is.
        given: options of the config.
        told: what the library calls that way, for messages.
        encoder: for messages.

    Raises:
        ConfigError: there is such a way, and ``given`` has no other.
    """
    needed = {name: value for name, value in own.items() if name not in given}
    if missing := [name for name, value in needed.items() if value is None]:
        raise ConfigError(
            f"encoder {encoder}: pictures are prepared for this model in a way that is none of these here ({told}); "
            f"give {' and '.join(missing)}"
        )
    return needed


def without_length(image: Picture) -> Picture:
    """The middle of a picture that is longer than :data:`LONGEST` times its width; else all of it."""
    return _middle(image, LONGEST * min(image.size), LONGEST * min(image.size))


def _middle(image: Picture, width: int, height: int) -> Picture:
    """At most so much of it, from its middle; where that is half a pixel off, as torchvision rounds it."""
    width, height = min(width, image.width), min(height, image.height)
    if image.size == (width, height):
        return image
    left, top = round((image.width - width) / 2.0), round((image.height - height) / 2.0)
    return image.crop((left, top, left + width, top + height))  # type: ignore[return-value]  # of the same class
