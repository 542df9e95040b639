"""Images by a model of the library transformers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from equipoise.encoders.arrays import FloatPicture
from equipoise.encoders.image_models import PASS, ImageModel
from equipoise.encoders.images import decode_image, decode_picture
from equipoise.encoders.preparing import without_length
from equipoise.encoders.torch_models import device_for, halved, pooled
from equipoise.encoders.transformers_models import ModelSource, check_weights
from equipoise.errors import ConfigError


class ImageReader:
    """A model of images, or the part of one that reads them, with its own processor.

    Args:
        source: where it is from.
        pool: see :class:`equipoise.encoders.transformers.TransformersEncoder`.
        half: float16 on a GPU.
        gpu: the CUDA device.

    Raises:
        ConfigError: weights are missing, the processor makes something else than pictures, or the model has not what
            ``pool`` asks for.
    """

    def __init__(self, source: ModelSource, *, pool: str | None, half: bool, gpu: int | None) -> None:
        self._encoder, self._device, self._pool = source.encoder, device_for(gpu), pool
        self._half = half
        self._processor = source.load(AutoImageProcessor)
        size = getattr(self._processor, "size", None)
        self._keeps_proportions = bool(size and size.get("shortest_edge"))
        self._takes_floats = _is_of_tensors(self._processor)
        model, missing = source.model(AutoModel, self._device)
        self._is_dual = hasattr(model, "get_image_features")
        if self._is_dual:
            model.text_model = None  # a half of the memory
            missing = {name for name in missing if not name.startswith(("text_", "logit_"))}
        self._has_pooler = not any("pooler" in name for name in missing)
        check_weights({name for name in missing if "pooler" not in name and "mask_token" not in name}, self._encoder)
        self._model, self._tower = model, getattr(model, "vision_model", model) if self._is_dual else model
        if getattr(model.config, "mask_ratio", 0):
            model.config.mask_ratio = 0.0  # masked autoencoders leave out patches at random, for their training
        grey = self._prepared(Image.new("RGB", (64, 64), (128, 128, 128)))
        self._images = ImageModel(
            self._run, encoder=self._encoder, place=str(self._device), n_at_once=PASS[self._device.type],
            side=grey.shape[-1], grey=grey,
        )  # fmt: skip
        self._images.vectors([grey])

    def decode(self, content: bytes) -> NDArray[np.float32]:
        """What the processor makes of a picture, (3, height, width) float32; of an array unrounded, where it can."""
        return self._prepared((decode_picture if self._takes_floats else decode_image)(content, "RGB"))

    def vectors(self, pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Of pictures (3, height, width): (n, d) float32."""
        return self._images.vectors(pictures)

    def _prepared(self, image: Image.Image | FloatPicture) -> NDArray[np.float32]:
        if self._keeps_proportions:
            image = without_length(image)
        given = {"images": image} if isinstance(image, Image.Image) else _floats(image)
        found = self._processor(**given, return_tensors="pt")
        numbers = found.get("pixel_values")
        if set(found) != {"pixel_values"} or not isinstance(numbers, torch.Tensor) or numbers.shape[:2] != (1, 3):
            told = ", ".join(f"{name} of {tuple(getattr(value, 'shape', ()))}" for name, value in found.items())
            raise ConfigError(
                f"encoder {self._encoder}: its processor makes {told} of a picture; pixel_values of (1, 3, height, "
                "width) alone can be used"
            )
        return numbers[0].numpy()

    def _run(self, pictures: NDArray[np.float32]) -> object:
        with torch.inference_mode(), halved(self._device, self._half):
            given = torch.from_numpy(pictures).to(self._device)
            found = self._pooled(given)
            return found.float().cpu().numpy() if isinstance(found, torch.Tensor) else found

    def _pooled(self, given: torch.Tensor) -> Any:
        if self._pool is None and self._is_dual:
            return self._model.get_image_features(pixel_values=given).pooler_output
        output = self._tower(pixel_values=given)
        tokens, n_first = _tokens(output.last_hidden_state, given, self._tower.config)
        ways = ("cls", "cls_mean", "mean") if n_first else ("mean",)
        found = {way: pooled(tokens, way, n_prefix=n_first) for way in ways}
        pooler = getattr(output, "pooler_output", None)
        if pooler is not None and self._has_pooler:
            found = {"pooled": pooler.flatten(1), **found}
        if self._pool is not None and self._pool not in found:
            raise ConfigError(
                f"encoder {self._encoder}: the model has nothing for pool: {self._pool}; it has {', '.join(found)}"
            )
        return found[self._pool or next(iter(found))]


def _is_of_tensors(processor: Any) -> bool:
    """Whether it computes by torchvision, not by Pillow in 8 bits: versions of the library have two names for it."""
    names = {one.__name__ for one in type(processor).__mro__}
    return not names.isdisjoint({"TorchvisionBackend", "BaseImageProcessorFast"})


def _floats(picture: FloatPicture) -> dict[str, Any]:
    """As a processor takes a tensor, white being 255 as that of 8 bits."""
    layers = torch.from_numpy(picture.layers * np.float32(255)).permute(2, 0, 1)
    return {"images": layers, "input_data_format": "channels_first"}


def _tokens(state: torch.Tensor, pictures: torch.Tensor, config: Any) -> tuple[torch.Tensor, int]:
    """The tokens (n, tokens, d), and how many come before the patches: CLS, registers and their like.

    Args:
        state: tokens, or (n, d, height, width) of a convolutional net.
        pictures: (n, 3, height, width).
        config: of the model.
    """
    if state.ndim == 4:
        return state.flatten(2).transpose(1, 2), 0
    side = getattr(config, "patch_size", None)
    side = side[0] if isinstance(side, (list, tuple)) else side
    if not isinstance(side, int):
        return state, 0
    return state, max(0, state.shape[1] - (pictures.shape[2] // side) * (pictures.shape[3] // side))
