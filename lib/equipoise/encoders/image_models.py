"""What encoders with a model of images share, whatever runs it: passes that fit the memory, a look at what it gives."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import floats_of
from equipoise.encoders.passes import Passes, is_out_of_memory, last_line
from equipoise.errors import ConfigError

PASS = {"cpu": 8, "cuda": 64}
"""Pictures of a forward pass, at most: few on a CPU, whose memory several tasks share."""


class ImageModel:
    """A model that is given prepared pictures.

    Args:
        run: takes pictures, (n, height, width, 3) of 0 to 255, uint8 or of arrays float32, or as they are given; gives
            (n, d) floats.
        encoder: its name, for messages.
        place: where it runs, for messages.
        n_at_once: pictures of a pass, at most, where they are as the config has them; of larger ones as many fewer.
        side: of a picture as the config has it, in pixels.
        grey: a picture as ``run`` takes it, where that is something else than pixels: by it it is looked what works.
    """

    def __init__(
        self,
        run: Callable[[NDArray[Any]], object],
        *,
        encoder: str,
        place: str,
        n_at_once: int,
        side: int,
        grey: NDArray[Any] | None = None,
    ) -> None:
        self._run, self._encoder, self._side = run, encoder, side
        self._grey = np.full((side, side, 3), 128, dtype=np.uint8) if grey is None else grey
        self._passes = Passes(
            n_at_once, budget=n_at_once * self._grey.size, items="pictures", encoder=encoder, place=place
        )
        self._dim: int | None = None

    def vectors(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Of pictures, each as ``run`` takes many: (n, d) float32 in their order. Equally large ones go together.

        Raises:
            ConfigError: the model gives something else, or cannot take pictures of the size that it is given.
            Exception: what the model raises at a picture where it takes others.
        """
        shapes = sorted({picture.shape for picture in pictures})
        places = [[place for place, picture in enumerate(pictures) if picture.shape == shape] for shape in shapes]
        found = [self._of_one_shape(np.stack([pictures[place] for place in group])) for group in places]
        order = np.argsort(np.concatenate(places))
        return np.concatenate(found)[order]

    def _of_one_shape(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        try:
            return self._passes.over(pictures, self._forward, cost=np.size)
        except ConfigError:
            raise
        except Exception as error:  # what a model raises is its own affair
            self._check_plain(error)
            raise

    def _forward(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """One pass.

        Raises:
            ConfigError: it gives something else than vectors.
            Exception: whatever the model raises.
        """
        vectors = floats_of(self._run(pictures), len(pictures), items="pictures", encoder=self._encoder)
        self._check_dim(vectors.shape[1])
        return vectors

    def _check_dim(self, dim: int) -> None:
        if self._dim not in (None, dim):
            raise ConfigError(
                f"encoder {self._encoder}: the model gives vectors of {self._dim} and of {dim} numbers, by the size of "
                "the picture: make all pictures equally large, by resize: square or by crop"
            )
        self._dim = dim

    def _check_plain(self, cause: Exception) -> None:
        """Looks whether it is the model that failed, not a picture: a grey square of the config's size tells.

        Raises:
            ConfigError: it is the model.
        """
        try:
            self._forward(self._grey[None])
        except ConfigError:
            raise
        except Exception as error:  # what a model raises is its own affair
            said, size = last_line(error), f"{self._side} x {self._side}"
            way_out = "take a smaller size, or fewer tasks at once" if is_out_of_memory(error) else "see size and crop"
            raise ConfigError(
                f"encoder {self._encoder}: the model cannot take a picture of {size} pixels ({said}); {way_out}"
            ) from cause
