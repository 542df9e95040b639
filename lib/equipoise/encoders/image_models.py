"""What encoders with a model of images share, whatever runs it: passes that fit the memory, a look at what it gives."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError

log = logging.getLogger("equipoise")


class ImageModel:
    """A model that is given prepared pictures.

    Args:
        run: takes pictures (n, height, width, 3) uint8, gives (n, d) floats.
        encoder: its name, for messages.
        place: where it runs, for messages.
        n_at_once: pictures of a pass, at most.
        side: of a picture as the config has it, in pixels.
    """

    def __init__(
        self, run: Callable[[NDArray[np.uint8]], object], *, encoder: str, place: str, n_at_once: int, side: int
    ) -> None:
        self._run, self._encoder, self._place, self._side = run, encoder, place, side
        self._pass = n_at_once
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
        """One pass.

        Raises:
            ConfigError: it gives something else than vectors.
            Exception: whatever the model raises.
        """
        output, n = self._run(pictures), len(pictures)
        if isinstance(output, np.ndarray):
            if output.ndim == 2 and len(output) == n and output.shape[1] and output.dtype.kind == "f":
                self._check_dim(output.shape[1])
                return np.asarray(output, dtype=np.float32)
            told = f"{output.dtype} of {output.shape}"
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
                *(self._encoder, n, self._place),
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
    """Whether there was too little memory: TorchScript and ONNX Runtime say it in words alone."""
    said = str(error).casefold()
    words = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate memory", "bad_alloc")
    return isinstance(error, MemoryError) or any(word in said for word in words)


def last_line(error: BaseException) -> str:
    """What went wrong, of a message that begins with traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
