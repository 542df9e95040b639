"""Weights of training runs of DINO and DINOv2: read from the forms in which they are published, and recognised."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from equipoise.errors import ConfigError

if TYPE_CHECKING:
    import torch

Network = Literal["teacher", "student"]
HEAD_WIDTH = 64
"""Numbers of an attention head, in every published model of both papers; the weights do not say it."""

_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "backbone.")
_CHUNK = re.compile(r"^blocks\.\d+\.(\d+)\.")
_ROOTS = ("cls_token", "pos_embed", "patch_embed", "blocks", "norm", "register_tokens", "mask_token")
_HEADS = ("head", "dino_head", "ibot_head", "masked_embed", "predictor")
"""What is trained beside the backbone, and not used."""
_NEEDED = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "norm.weight")
_LISTED = 8

Weights = dict[str, "torch.Tensor"]


def weights_of(file: Path, network: Network, *, encoder: str) -> Weights:
    """The backbone's weights under DINO's own names, which lie in the file until they are used.

    Args:
        file: a checkpoint of a run, with the keys ``teacher`` and ``student``, or a backbone alone.
        network: which of the two is taken.
        encoder: for messages.

    Raises:
        ConfigError: the file has none, or others beside.
    """
    found = _unwrapped(_read(file), network, encoder)
    named = {_plain(name): value for name, value in found.items() if not isinstance(value, Mapping)}
    # A run's checkpoint has the heads beside the backbone, or both in two wrappers.
    within = {_plain(name) for name in found if "backbone." in name}
    kept = {name: value for name, value in named.items() if name in within or not within}
    weights = {name: value for name, value in kept.items() if _root(name) not in _HEADS}
    if any(name not in weights for name in _NEEDED):
        raise _unrecognised(file, list(found), encoder)
    if odd := sorted(name for name in weights if _root(name) not in _ROOTS):
        raise ConfigError(f"encoder {encoder}: {file} has what no DINO has: {_listed(odd)}")
    return weights


def _read(file: Path) -> Any:
    import argparse

    import torch

    # DINO's own checkpoints hold the arguments of the run: a class without behaviour.
    with torch.serialization.safe_globals([argparse.Namespace]):
        try:
            return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # files of before torch 1.6 cannot be mapped
            return torch.load(file, map_location="cpu", weights_only=True)


def _unwrapped(found: Any, network: Network, encoder: str) -> Mapping[str, Any]:
    """What the network's names lead to, in the order in which trainers nest them."""
    for key in ("model", "state_dict", network, "model", "state_dict"):
        if not isinstance(found, Mapping):
            break
        if key == network and key not in found and ({"teacher", "student"} & found.keys()):
            raise ConfigError(f"encoder {encoder}: the file has no {network}, of {_listed(list(found))}; see network")
        found = found.get(key, found)
    if not isinstance(found, Mapping):
        raise ConfigError(f"encoder {encoder}: the file holds no names and weights, but a {type(found).__name__}")
    prefix = f"{network}."
    own = {str(name).removeprefix(prefix): value for name, value in found.items() if str(name).startswith(prefix)}
    return own or {str(name): value for name, value in found.items()}


def _plain(name: str) -> str:
    """Without what wraps the backbone, nor the chunk of blocks that DINOv2 trains together."""
    while wrapper := next((wrapper for wrapper in _WRAPPERS if name.startswith(wrapper)), None):
        name = name.removeprefix(wrapper)
    return _CHUNK.sub(r"blocks.\1.", name.replace("._fsdp_wrapped_module.", "."))


def _root(name: str) -> str:
    return name.partition(".")[0]


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(map(str, names[:_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def _unrecognised(file: Path, names: list[str], encoder: str) -> ConfigError:
    return ConfigError(
        f"encoder {encoder}: {file} holds no vision transformer of DINO or DINOv2, which has "
        f"{', '.join(_NEEDED)}; it has {_listed(names) or 'nothing'}"
    )


@dataclass(frozen=True)
class Architecture:
    """A vision transformer, as its weights tell.

    Attributes:
        width: numbers of a token.
        hidden: of the layer between, in every block; of SwiGLU both halves.
    """

    width: int
    depth: int
    heads: int
    patch: int
    hidden: int
    n_registers: int
    is_gated: bool
    is_scaled: bool
    has_biases: bool

    @classmethod
    def of(cls, weights: Mapping[str, "torch.Tensor"], heads: int | None, *, encoder: str) -> Self:
        """Read from the shapes of weights.

        Raises:
            ConfigError: what does not fit one.
        """
        width, channels, patch, across = weights["patch_embed.proj.weight"].shape
        n_positions = weights["pos_embed"].shape[1] - 1
        if channels != 3 or patch != across or isqrt(n_positions) ** 2 != n_positions:
            raise ConfigError(
                f"encoder {encoder}: patches of {channels} x {patch} x {across} in {n_positions} places; they must be "
                "square, of three channels, and fill a square"
            )
        is_gated = "blocks.0.mlp.w12.weight" in weights
        between = weights.get("blocks.0.mlp.w12.weight" if is_gated else "blocks.0.mlp.fc1.weight")
        if between is None:
            raise ConfigError(f"encoder {encoder}: its blocks have neither blocks.0.mlp.fc1 nor blocks.0.mlp.w12")
        registers = weights.get("register_tokens")
        return cls(
            width=width,
            depth=1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks.")),
            heads=_heads(width, heads, encoder),
            patch=patch,
            hidden=between.shape[0],
            n_registers=0 if registers is None else registers.shape[1],
            is_gated=is_gated,
            is_scaled="blocks.0.ls1.gamma" in weights,
            has_biases="blocks.0.attn.qkv.bias" in weights,
        )

    def check_side(self, side: int, *, encoder: str) -> None:
        """Looks whether pictures of so many pixels are whole patches.

        Raises:
            ConfigError: they are not.
        """
        if side % self.patch:
            low = side // self.patch * self.patch
            near = f"{low} or {low + self.patch}" if low else str(self.patch)
            raise ConfigError(
                f"encoder {encoder}: pictures of {side} pixels a side are not whole patches of {self.patch}; "
                f"make crop {near}"
            )


def _heads(width: int, given: int | None, encoder: str) -> int:
    heads = given or width // HEAD_WIDTH
    if not heads or width % heads or (given is None and width % HEAD_WIDTH):
        said = "say how many by heads" if given is None else f"heads is {given}; it must divide that"
        raise ConfigError(f"encoder {encoder}: attention heads of {width} numbers a token: {said}")
    return heads
