"""Models of the library transformers: loaded from this machine's files as far as they are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from equipoise.encoders.hub import from_cache_first
from equipoise.errors import ConfigError


@dataclass(frozen=True)
class ModelSource:
    """Where a model is from, and whether its code may run."""

    place: Path | str
    revision: str | None
    is_trusted: bool
    encoder: str

    def load(self, library: Any, **options: Any) -> Any:
        """What one of the library's classes makes of it, from this machine's files as far as they are there."""

        def load(place: str, **where: Any) -> Any:
            return library.from_pretrained(place, trust_remote_code=self.is_trusted, **where, **options)

        with _quiet():
            return from_cache_first(self.place, self.revision, load, encoder=self.encoder, owner=None)

    def model(self, library: Any, device: torch.device) -> tuple[Any, set[str]]:
        """The model on its device, and the names of weights that its files lack."""
        model, told = self.load(library, dtype=torch.float32, output_loading_info=True)
        model.eval().requires_grad_(False).to(device)
        return model, set(told["missing_keys"])


@contextmanager
def _quiet() -> Iterator[None]:
    """What the library has to say of weights that it leaves out, and its progress bars, are for nobody here."""
    said: Any = logging
    verbosity, has_bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(verbosity)
        if has_bars:
            said.enable_progress_bar()


def check_weights(missing: set[str], encoder: str) -> None:
    """The library gives random numbers to what a file lacks.

    Raises:
        ConfigError: it lacks something that is used.
    """
    if missing:
        names = ", ".join(sorted(missing)[:3])
        raise ConfigError(
            f"encoder {encoder}: its files lack {len(missing)} of the model's weights, {names} among them: "
            "they are of another model than config.json"
        )
