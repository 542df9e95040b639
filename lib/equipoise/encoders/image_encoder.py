"""What families of encoders of images share, whatever runs their models: options, preparation, vectors."""

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import Kind, unit_vectors
from equipoise.encoders.image_models import ImageModel
from equipoise.encoders.preparing import Channels, Deviations, Interpolation, Preparation, Resize, Side
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    import torch

_LONGEST_REASON = 400
"""Characters of what a library says is wrong: of weights that do not fit it lists hundreds of names."""


class ImageEncoder(ABC):
    """An encoder with a model of images.

    A family derives from it. It has its name in ``family`` and, where all its models are given pictures prepared alike,
    how in ``defaults``; else :meth:`own_preparation` says how this model's are. Options of its own are keywords of its
    ``__init__``, which passes the others on as ``**shared``; those in ``files`` are paths of files of the model, and in
    the ``encoder_id`` by their hashes. :meth:`image_model` loads the model.

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
    files: ClassVar[tuple[str, ...]] = ()

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
        preparation = {
            "size": size, "resize": resize, "crop": crop, "interpolation": interpolation, "mean": mean, "std": std,
        }  # fmt: skip
        given = stated(preparation)
        self.preparation = self.prepared(argument, {**self.own_preparation(given), **given})
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

    def own_preparation(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """How pictures are prepared for this model, where ``given`` does not say; asked before the model is loaded.

        Raises:
            ConfigError: in a way that no option stands for.
        """
        return {}

    @abstractmethod
    def image_model(self, *, gpu: int | None, half: bool) -> ImageModel:
        """The model, loaded, which is given pictures as ``self.preparation`` has them.

        Raises:
            ConfigError: it cannot be.
        """

    def decode(self, content: bytes) -> NDArray[np.uint8 | np.float32]:
        """The prepared picture, (height, width, 3) uint8; of an array float32, white being 255."""
        return self.preparation.pixels(content)

    def encode(self, items: Sequence[NDArray[np.uint8 | np.float32]]) -> NDArray[np.float32]:
        """The model's vectors, (n, d) float32, of length one (or zero) where ``normalise`` says so."""
        vectors = self._model.vectors(items)
        return unit_vectors(vectors) if self._normalise else vectors


class TorchImageEncoder(ImageEncoder):
    """An encoder with a torch model: its family says by :meth:`torch_model` how that is loaded."""

    def image_model(self, *, gpu: int | None, half: bool) -> ImageModel:
        """The model on its device."""
        from equipoise.encoders.torch_models import device_for, torch_image_model

        device = device_for(gpu)
        with loading(self.encoder):
            model = self.torch_model(device)
        return torch_image_model(model, encoder=self.encoder, device=device, preparation=self.preparation, half=half)

    @abstractmethod
    def torch_model(self, device: "torch.device") -> "Callable[[torch.Tensor], Any]":
        """What takes (n, 3, height, width) float32 on the device, as ``self.preparation`` has it, and gives (n, d)."""


@contextmanager
def loading(encoder: str) -> Iterator[None]:
    """Whatever goes wrong while a model is loaded is told in one line.

    Raises:
        ConfigError: it cannot be loaded.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # libraries, files and code of others raise anything
        said = " ".join(str(error).split()) or type(error).__name__
        said = textwrap.shorten(said, _LONGEST_REASON, placeholder=" ...")
        raise ConfigError(f"encoder {encoder} cannot be loaded: {said}") from error


def stated(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something: null stands for the default."""
    return {name: value for name, value in options.items() if value is not None}
