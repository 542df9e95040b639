"""Images by any TorchScript file, which needs no code beside it: SSCD's descriptors are published like this."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from equipoise.encoders.base import needs
from equipoise.encoders.files import file_hash, model_file
from equipoise.encoders.image_encoder import TorchImageEncoder
from equipoise.encoders.preparing import Preparation
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    import torch

_MARK = "constants.pkl"
"""What a TorchScript file has, a ZIP, and a file of weights alone has not."""


class TorchScriptEncoder(TorchImageEncoder):
    """A TorchScript module that takes (n, 3, height, width) float32 and gives (n, d).

    By default pictures are prepared as SSCD's authors recommend for batches: skewed to 320 x 320, ImageNet's mean and
    deviations. Their other way is ``size: 288, resize: shortest_side``.

    Args:
        path: the file.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`.

    Raises:
        ConfigError: torch or the file is not there, the file is no TorchScript, an option is out of range.
    """

    family = "torchscript"
    defaults = Preparation(size=320).model_dump()

    def __init__(self, path: str, **shared: Any) -> None:
        self.check(path, **shared)
        self._path = path
        super().__init__(path, **shared)

    @classmethod
    def check(cls, path: str, **options: Any) -> None:
        """Looks whether the model is to be had, without loading it.

        Raises:
            ConfigError: it is not, or an option is out of range.
        """
        needs("torch", extra="torch", encoder=cls.name_of(path))
        _torchscript_file(path)
        cls.prepared(path, options)

    @classmethod
    def revision_of(cls, path: str) -> str:
        """The SHA-256 of the file: it alone says which model this is.

        Raises:
            ConfigError: there is no such file, it cannot be read, or it is no TorchScript.
        """
        _torchscript_file(path)
        return file_hash(path, encoder=cls.name_of(path))

    def torch_model(self, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
        """The module on its device."""
        return _loaded(_torchscript_file(self._path), device)


def _torchscript_file(path: str) -> Path:
    encoder = TorchScriptEncoder.name_of(path)
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


def _loaded(file: Path, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
    import torch

    with warnings.catch_warnings():
        # New models are to be exported in other ways; those that are published are read in this one.
        warnings.filterwarnings("ignore", category=FutureWarning, message=r".*torch\.jit")
        load: Callable[..., torch.jit.ScriptModule] = torch.jit.load
        model = load(str(file), map_location=device)
    model.eval()

    def run(pictures: "torch.Tensor") -> Any:
        # Optimised, it is another program, with other bits, from the third batch on.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            return model(pictures)

    return run
