"""Small TorchScript files for tests: what they do is written out, and nothing is fetched."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


def saved(module: nn.Module, path: Path) -> str:
    """The module, scripted and saved; returns the encoder's name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=r".*torch\.jit")
        torch.jit.script(module.eval()).save(str(path))
    return f"torchscript:{path}"


class Means(nn.Module):
    """The mean of each channel: (n, 3)."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mean(dim=(2, 3))


class Flat(nn.Module):
    """All that it is given: (n, 3 * height * width)."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1)


class Whole(nn.Module):
    """Not a vector a picture: what it is given."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures


class Counts(nn.Module):
    """Whole numbers."""

    def forward(self, pictures: Tensor) -> Tensor:
        return (pictures.mean(dim=(2, 3)) * 255).int()


class Pair(nn.Module):
    """Two tensors."""

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return pictures.mean(dim=(2, 3)), pictures


class Fixed(nn.Module):
    """Takes pictures of 8 x 8 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 8 * 8, 4)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(pictures.flatten(1))


class Hungry(nn.Module):
    """Asks for 2^46 x 3 numbers, more than there are addresses, for more than ``most`` pictures at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[0] > self.most:
            return torch.empty(70368744177664, 3)
        return pictures.mean(dim=(2, 3))


class Picky(nn.Module):
    """Fails at a picture that is white all over."""

    def forward(self, pictures: Tensor) -> Tensor:
        means = pictures.mean(dim=(2, 3))
        if bool((means > 0.999).all(dim=1).any()):
            raise ValueError("nothing to see")
        return means
