"""What encoders with a torch model share: its device, passes that fit the memory, and a look at what it gives."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.encoders.preparing import Preparation
from equipoise.errors import ConfigError

PASS = {"cpu": 8, "cuda": 64}
"""Pictures of a forward pass, at most: few on a CPU, whose memory several tasks share."""
log = logging.getLogger("equipoise")


def device_for(gpu: int | None) -> torch.device:
    """The CUDA device of this number, modulo how many there are; where there is none, the CPU."""
    n_gpus = torch.cuda.device_count()
    return torch.device("cuda", (gpu or 0) % n_gpus) if n_gpus else torch.device("cpu")


class ImageModel:
    """A model on its device, which is given prepared pictures.

    Args:
        model: takes (n, 3, height, width) float32 on the device, gives (n, d).
        encoder: its name, for messages.
        device: where it is.
        preparation: what it reads.
        half: computes in float16 where that is faster than it is inexact: on a GPU. Left alone elsewhere.
    """

    def __init__(
        self,
        model: Callable[[torch.Tensor], Any],
        *,
        encoder: str,
        device: torch.device,
        preparation: Preparation,
        half: bool,
    ) -> None:
        self._model, self._encoder, self._device = model, encoder, device
        self._half = half and device.type == "cuda"
        self._side = preparation.crop or preparation.size
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=device).reshape(3, 1, 1)
            for values in (preparation.mean, preparation.std)
        )
        self._pass = PASS[device.type]
        self._is_split = False
        self._dim: int | None = None

    def vectors(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Of pictures, each (height, width, 3) uint8: (n, d) float32 in their order. Equally large ones go together.

        Raises:
            ConfigError: the model gives something else, or cannot take pictures of the size that it is given.
            Exception: what the model raises at a picture where it takes others.
        """
        shapes = sorted({picture.shape for picture in pictures})
        places = [[place for place, picture in enumerate(pictures) if picture.shape == shape] for shape in shapes]
        found = [self._of_one_shape(np.stack([pictures[place] for place in group])) for group in places]
        order = np.argsort(np.concatenate(places))
        return np.concatenate(found)[order]

    def _of_one_shape(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        found, n_done = [], 0
        while n_done < len(pictures):
            part = pictures[n_done : n_done + self._pass]
            try:
                found.append(self._forward(part))
            except ConfigError:
                raise
            except Exception as error:  # what a model raises is its own affair
                if len(part) == 1 or not is_out_of_memory(error):
                    self._check_plain(error)
                    raise
                self._halve(len(part))
            else:
                n_done += len(part)
        return np.concatenate(found)

    def _forward(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass."""
        halved = torch.autocast(self._device.type, torch.float16) if self._half else nullcontext()
        with torch.inference_mode(), halved:
            given = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            # In torchvision's order: the same bits.
            output = self._model(given.contiguous().float().div_(255).sub_(self._mean).div_(self._std))
            self._check(output, len(pictures))
            return np.asarray(output.float().cpu().numpy(), dtype=np.float32)

    def _check(self, output: object, n: int) -> None:
        if isinstance(output, torch.Tensor):
            if output.ndim == 2 and len(output) == n and output.shape[1] and output.is_floating_point():
                self._check_dim(output.shape[1])
                return
            told = f"{str(output.dtype).removeprefix('torch.')} of {tuple(output.shape)}"
        else:
            told = f"a {type(output).__name__}"
        raise ConfigError(
            f"encoder {self._encoder}: of {n} pictures the model gives {told}; it must be floats of ({n}, d)"
        )

    def _check_dim(self, dim: int) -> None:
        if self._dim not in (None, dim):
            raise ConfigError(
                f"encoder {self._encoder}: the model gives vectors of {self._dim} and of {dim} numbers, by the size of "
                "the picture: make all pictures equally large, by resize: square or by crop"
            )
        self._dim = dim

    def _halve(self, n: int) -> None:
        """Takes fewer pictures at once from here on; said once a worker."""
        self._pass = n // 2
        if not self._is_split:
            log.warning(
                "encoder %s: %d pictures at once do not fit into the memory of %s; from here on it takes fewer",
                *(self._encoder, n, self._device),
            )
        self._is_split = True

    def _check_plain(self, cause: Exception) -> None:
        """Looks whether it is the model that failed, not a picture: a grey square of the config's size tells.

        Raises:
            ConfigError: it is the model.
        """
        try:
            self._forward(np.full((1, self._side, self._side, 3), 128, dtype=np.uint8))
        except ConfigError:
            raise
        except Exception as error:  # what a model raises is its own affair
            said, size = last_line(error), f"{self._side} x {self._side}"
            way_out = "take a smaller size, or fewer tasks at once" if is_out_of_memory(error) else "see size and crop"
            raise ConfigError(
                f"encoder {self._encoder}: the model cannot take a picture of {size} pixels ({said}); {way_out}"
            ) from cause


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory: TorchScript says it in words alone."""
    said = str(error).casefold()
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or any(
        words in said for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def last_line(error: BaseException) -> str:
    """What went wrong, of a message that begins with traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
