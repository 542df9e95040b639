"""Images by any TorchScript file, which needs no code beside it: SSCD's descriptors are published like this."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import Kind, needs, unit_vectors
from equipoise.encoders.files import file_hash, model_file
from equipoise.encoders.preparing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Channels,
    Deviations,
    Interpolation,
    Preparation,
    Resize,
    Side,
)
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    import torch

FAMILY = "torchscript"
SSCD_SIZE = 320
_MARK = "constants.pkl"
"""What a TorchScript file has, a ZIP, and a file of weights alone has not."""


class TorchScriptEncoder:
    """A TorchScript module that takes (n, 3, height, width) float32 and gives (n, d).

    By default pictures are prepared as SSCD's authors recommend for batches: skewed to 320 x 320, ImageNet's mean and
    deviations. Their other way is ``size: 288, resize: shortest_side``.

    Args:
        path: the file.
        size: see :class:`equipoise.encoders.preparing.Preparation`, as for the next five.
        normalise: unit vectors.
        half: float16 on a GPU.
        gpu: the CUDA device (modulo their number); where there is none the model runs on the CPU.

    Raises:
        ConfigError: torch or the file is not there, the file is no TorchScript, an option is out of range.
    """

    kind: Kind = "images"

    def __init__(
        self,
        path: str,
        *,
        size: Side = SSCD_SIZE,
        resize: Resize = "square",
        crop: Side | None = None,
        interpolation: Interpolation = "bilinear",
        mean: Channels = IMAGENET_MEAN,
        std: Deviations = IMAGENET_STD,
        normalise: bool = True,
        half: bool = False,
        gpu: int | None = None,
    ) -> None:
        options: Mapping[str, Any] = {
            "size": size, "resize": resize, "crop": crop, "interpolation": interpolation, "mean": mean, "std": std,
        }  # fmt: skip
        self.check(path, **options)
        from equipoise.encoders.torch_models import device_for, torch_image_model

        encoder, device = f"{FAMILY}:{path}", device_for(gpu)
        self._preparation = Preparation.of(options, encoder=encoder)
        self._model = torch_image_model(
            _loaded(path, device), encoder=encoder, device=device, preparation=self._preparation, half=half
        )
        self._normalise = normalise

    @staticmethod
    def check(path: str, **options: Any) -> None:
        """Looks whether the model is to be had, without loading it.

        Raises:
            ConfigError: it is not, or an option is out of range.
        """
        encoder = f"{FAMILY}:{path}"
        needs("torch", extra="torch", encoder=encoder)
        _torchscript_file(path)
        Preparation.of({"size": SSCD_SIZE, **options}, encoder=encoder)

    @staticmethod
    def revision_of(path: str) -> str:
        """The SHA-256 of the file: it alone says which model this is.

        Raises:
            ConfigError: there is no such file, it cannot be read, or it is no TorchScript.
        """
        _torchscript_file(path)
        return file_hash(path, encoder=f"{FAMILY}:{path}")

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """The prepared picture, (height, width, 3) uint8."""
        return self._preparation.pixels(content)

    def encode(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The model's vectors, (n, d) float32, of length one (or zero) where ``normalise`` says so."""
        vectors = self._model.vectors(items)
        return unit_vectors(vectors) if self._normalise else vectors


def _torchscript_file(path: str) -> Path:
    encoder = f"{FAMILY}:{path}"
    file = model_file(path, encoder=encoder)
    try:
        with ZipFile(file) as archive:
            if any(name.count("/") == 1 and name.endswith(f"/{_MARK}") for name in archive.namelist()):
                return file
    except BadZipFile:
        pass
    except OSError as error:
        raise ConfigError(f"encoder {encoder}: the file {file} cannot be read: {error.strerror}") from error
    raise ConfigError(
        f"encoder {encoder}: the file {file} is no TorchScript; weights alone are none: save the whole model by "
        "torch.jit.save"
    )


def _loaded(path: str, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
    import torch

    with warnings.catch_warnings():
        # New models are to be exported in other ways; those that are published are read in this one.
        warnings.filterwarnings("ignore", category=FutureWarning, message=r".*torch\.jit")
        load: Callable[..., torch.jit.ScriptModule] = torch.jit.load
        try:
            model = load(str(_torchscript_file(path)), map_location=device)
        except (RuntimeError, OSError, ValueError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ConfigError(f"encoder {FAMILY}:{path} cannot be loaded: {said}") from error
    model.eval()

    def run(pictures: "torch.Tensor") -> Any:
        # Optimised, it is another program, with other bits, from the third batch on.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            return model(pictures)

    return run
