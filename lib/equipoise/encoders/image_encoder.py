"""What families of encoders of images share, whatever runs their models: options, preparation, vectors."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import Kind, unit_vectors
from equipoise.encoders.image_models import ImageModel
from equipoise.encoders.preparing import Channels, Deviations, Interpolation, Preparation, Resize, Side


class ImageEncoder:
    """An encoder with a model of images.

    A family derives from it. It has its name in ``family`` and, where all its models are given pictures prepared alike,
    how in ``defaults``; else :meth:`own_preparation` says how this model's are. Options of its own are keywords of its
    ``__init__``, which passes the others on as ``**shared``, and :meth:`image_model` loads the model.

    Args:
        argument: which one of the family.
        size: see :class:`equipoise.encoders.preparing.Preparation`, as for the next five; None: as the model has it.
        normalise: unit vectors.
        half: float16 on a GPU.
        gpu: the CUDA device (modulo their number); where there is none the model runs on the CPU.

    Raises:
        ConfigError: a library or the model is not there, an option is out of range.
    """

    kind: Kind = "images"
    family: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        argument: str,
        *,
        size: Side | None = None,
        resize: Resize | None = None,
        crop: Side | None = None,
        interpolation: Interpolation | None = None,
        mean: Channels | None = None,
        std: Deviations | None = None,
        normalise: bool = True,
        half: bool = False,
        gpu: int | None = None,
    ) -> None:
        self.encoder = self.name_of(argument)
        given = {"size": size, "resize": resize, "crop": crop, "interpolation": interpolation, "mean": mean, "std": std}
        self.preparation = self.prepared(argument, {**self.own_preparation(), **stated(given)})
        self._model = self.image_model(gpu=gpu, half=half)
        self._normalise = normalise

    @classmethod
    def name_of(cls, argument: str) -> str:
        """The encoder as the config has it, for messages."""
        return f"{cls.family}:{argument}"

    @classmethod
    def prepared(cls, argument: str, options: Mapping[str, Any]) -> Preparation:
        """How pictures are prepared by these options, and where they say nothing by the family's defaults.

        Raises:
            ConfigError: an option that is out of range, or does not go with another.
        """
        return Preparation.of({**cls.defaults, **stated(options)}, encoder=cls.name_of(argument))

    def own_preparation(self) -> Mapping[str, Any]:
        """How pictures are prepared for this model, where the config does not say; asked before the model is loaded."""
        return {}

    def image_model(self, *, gpu: int | None, half: bool) -> ImageModel:
        """The model, loaded, which is given pictures as ``self.preparation`` has them.

        Raises:
            ConfigError: it cannot be.
        """
        raise NotImplementedError

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """The prepared picture, (height, width, 3) uint8."""
        return self.preparation.pixels(content)

    def encode(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The model's vectors, (n, d) float32, of length one (or zero) where ``normalise`` says so."""
        vectors = self._model.vectors(items)
        return unit_vectors(vectors) if self._normalise else vectors


def stated(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something: null stands for the default."""
    return {name: value for name, value in options.items() if value is not None}
