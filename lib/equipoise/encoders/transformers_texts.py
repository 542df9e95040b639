"""Texts by a model of the library transformers."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer

from equipoise.encoders.base import floats_of
from equipoise.encoders.passes import Passes
from equipoise.encoders.texts import PASS, TOKENS, decode_text
from equipoise.encoders.torch_models import device_for, halved
from equipoise.encoders.transformers_models import ModelSource, check_weights
from equipoise.errors import ConfigError

_LONGEST = 1_000_000
"""A tokenizer without a limit names a number far beyond this."""


class TextReader:
    """A model of texts with its tokenizer.

    Args:
        source: where it is from.
        pool: see :class:`equipoise.encoders.transformers.TransformersEncoder`.
        max_length: in tokens.
        half: float16 on a GPU.
        gpu: the CUDA device.

    Raises:
        ConfigError: weights are missing, the model reads no texts, or not such long ones.
    """

    def __init__(
        self, source: ModelSource, *, pool: str | None, max_length: int | None, half: bool, gpu: int | None
    ) -> None:
        self._encoder, self._device, self._half = source.encoder, device_for(gpu), half
        self._pool = pool or "mean"
        self._tokenizer = source.load(AutoTokenizer)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token  # masked, whatever it is
        is_pair = getattr(source.load(AutoConfig), "is_encoder_decoder", False)
        self._model, missing = source.model(AutoModelForTextEncoding if is_pair else AutoModel, self._device)
        check_weights({name for name in missing if "pooler" not in name}, self._encoder)
        self._inputs = set(inspect.signature(self._model.forward).parameters)
        longest = _longest(self._tokenizer, self._model)
        if max_length is not None and longest is not None and max_length > longest:
            raise ConfigError(
                f"encoder {self._encoder}: max_length is {max_length}, beyond the model's longest, {longest}"
            )
        self._max_length = max_length or longest
        self._passes = Passes(
            PASS[self._device.type],
            budget=TOKENS[self._device.type],
            items="texts",
            encoder=self._encoder,
            place=str(self._device),
        )

    def decode(self, content: bytes) -> str:
        """The text; empty ones are rejected."""
        return decode_text(content)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Of texts: (n, d) float32; those beyond ``max_length`` are cut. Texts alike in length go together."""
        cut = {} if self._max_length is None else {"truncation": True, "max_length": self._max_length}
        tokens = self._tokenizer(list(texts), return_attention_mask=True, **cut)
        taken = [name for name in tokens if name in self._inputs]
        rows = [{name: tokens[name][place] for name in taken} for place in range(len(texts))]
        order = sorted(range(len(rows)), key=lambda place: -_n_tokens(rows[place]))
        found = self._passes.over([rows[place] for place in order], self._forward, cost=_n_tokens)
        return found[np.argsort(order)]

    def _forward(self, rows: Sequence[dict[str, list[int]]]) -> NDArray[np.float32]:
        given = self._tokenizer.pad(list(rows), padding_side="right", return_tensors="pt").to(self._device)
        with torch.inference_mode(), halved(self._device, self._half):
            state = self._model(**given).last_hidden_state
            vectors = _of_texts(state.float(), given["attention_mask"], self._pool)
        return floats_of(vectors.cpu().numpy(), len(rows), items="texts", encoder=self._encoder)


def _n_tokens(row: dict[str, list[int]]) -> int:
    return len(row["input_ids"])


def _of_texts(state: torch.Tensor, mask: torch.Tensor, pool: str) -> torch.Tensor:
    """Vectors (n, d) of tokens (n, tokens, d), of which ``mask`` (n, tokens) has ones before it has zeros."""
    if pool == "cls":
        return state[:, 0]
    if pool == "last":
        return state[torch.arange(len(state), device=state.device), mask.sum(dim=1) - 1]
    weights = mask.unsqueeze(-1).to(state.dtype)
    return (state * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _longest(tokenizer: Any, model: Any) -> int | None:
    """In tokens; None where neither tokenizer nor model has a limit."""
    positions = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        if positions and name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions -= module.padding_idx + 1  # of RoBERTa and its kin the first are not used
    limits = [limit for limit in (positions, tokenizer.model_max_length) if limit and limit < _LONGEST]
    return min(limits, default=None)
