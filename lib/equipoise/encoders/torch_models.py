"""What encoders with a torch model share: its device, and a pass through it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.encoders.image_models import PASS, ImageModel
from equipoise.encoders.preparing import Preparation


def device_for(gpu: int | None) -> torch.device:
    """The CUDA device of this number, modulo how many there are; where there is none, the CPU."""
    n_gpus = torch.cuda.device_count()
    return torch.device("cuda", (gpu or 0) % n_gpus) if n_gpus else torch.device("cpu")


def halved(device: torch.device, half: bool) -> AbstractContextManager[Any]:
    """In float16 where that is faster than it is inexact: on a GPU."""
    return torch.autocast(device.type, torch.float16) if half and device.type == "cuda" else nullcontext()


def torch_image_model(
    model: Callable[[torch.Tensor], Any], *, encoder: str, device: torch.device, preparation: Preparation, half: bool
) -> ImageModel:
    """A torch model on its device, which is given prepared pictures.

    Args:
        model: takes (n, 3, height, width) float32 on the device, gives (n, d).
        encoder: its name, for messages.
        device: where it is.
        preparation: what it reads.
        half: see :func:`halved`.
    """
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=device).reshape(3, 1, 1)
        for values in (preparation.mean, preparation.std)
    )

    def run(pictures: NDArray[np.uint8]) -> object:
        with torch.inference_mode(), halved(device, half):
            given = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
            # In torchvision's order, on the device: the same bits, and a quarter of what is moved.
            output = model(given.contiguous().float().div_(255).sub_(mean).div_(std))
            if not isinstance(output, torch.Tensor):
                return output
            return (output.float() if output.is_floating_point() else output).cpu().numpy()

    return ImageModel(run, encoder=encoder, place=str(device), n_at_once=PASS[device.type], side=preparation.side)


def pooled(tokens: torch.Tensor, pool: str, *, n_prefix: int) -> torch.Tensor:
    """One vector a picture of its tokens, (n, tokens, d).

    Args:
        tokens: the CLS token first, then registers, then the patches.
        pool: ``cls``, (n, d); ``mean`` of the patches, (n, d); ``cls_mean``, one after the other, (n, 2 d).
        n_prefix: tokens before the first patch.
    """
    if pool == "cls":
        return tokens[:, 0]
    mean = tokens[:, n_prefix:].mean(dim=1)
    return mean if pool == "mean" else torch.cat([tokens[:, 0], mean], dim=1)
