"""Texts by any model of the library sentence-transformers."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import Kind, needs
from equipoise.encoders.hub import MODEL_FILES, check_hub, from_cache_first, holds_model, is_cached
from equipoise.encoders.passes import Passes
from equipoise.encoders.texts import PASS, TOKENS, decode_text
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "package/"
_BYTES_PER_TOKEN = 3
"""Four in English, three where every sign is a token of its own."""


class SentenceTransformersEncoder:
    """Sentence embeddings.

    Args:
        model: a name on the Hugging Face hub (what this machine has of it is taken as it is), a local folder, or
            ``package/<module>``: a Python package that carries its model and has ``get_model_path()``.
        normalise: unit vectors.
        revision: branch, tag or commit on the hub; for a package its version is taken.
        gpu: the CUDA device (modulo their number); where there is none the model runs on the CPU.

    Raises:
        ConfigError: the library or the model is not there.
    """

    kind: Kind = "texts"

    def __init__(
        self, model: str, *, normalise: bool = True, revision: str | None = None, gpu: int | None = None
    ) -> None:
        self.check(model, revision=revision)
        from sentence_transformers import SentenceTransformer

        from equipoise.encoders.torch_models import device_for

        device = device_for(gpu)
        self._model = _loaded(
            model, revision, lambda place, **where: SentenceTransformer(place, device=str(device), **where)
        )
        self._normalise = normalise
        self._longest = self._model.max_seq_length
        self._passes = Passes(
            PASS[device.type],
            budget=TOKENS[device.type],
            items="texts",
            encoder=f"sentence-transformers:{model}",
            place=str(device),
        )

    @staticmethod
    def check(model: str, *, revision: str | None = None, **options: object) -> None:
        """Looks whether the model is to be had, without loading it: the hub is asked once.

        Raises:
            ConfigError: it is not.
        """
        place = model_place(model)
        needs("sentence_transformers", extra="text", encoder=f"sentence-transformers:{model}")
        if isinstance(place, str) and not is_cached(place, revision):
            check_hub(place, revision, encoder=f"sentence-transformers:{model}")

    @staticmethod
    def revision_of(model: str) -> str | None:
        """What stands for the revision of a model that brings its own; None: the option ``revision`` does.

        Raises:
            ConfigError: a local folder or a package that is not there.
        """
        model_place(model)
        if not model.startswith(PACKAGE):
            return None
        return str(getattr(import_module(model.removeprefix(PACKAGE)), "__version__", ""))

    def decode(self, content: bytes) -> str:
        """The text; empty ones are rejected: nothing can be said about them."""
        return decode_text(content)

    def encode(self, items: Sequence[str]) -> NDArray[np.float32]:
        """Sentence embeddings, (n, d) float32; texts beyond the model's longest are cut by it."""
        order = sorted(range(len(items)), key=lambda place: -len(items[place]))
        vectors = np.concatenate([*self._in_passes([items[place] for place in order])])
        return np.asarray(vectors[np.argsort(order)], dtype=np.float32)

    def _in_passes(self, texts: list[str]) -> Iterator[NDArray[np.floating]]:
        """Those whose passes are of one size in one call, which costs more than a pass on a GPU; the longest first."""
        n_done = 0
        while n_done < len(texts):
            cost = self._n_tokens(texts[n_done])
            size = stop = self._passes.n_of(cost)
            stop += n_done
            while stop < len(texts) and self._passes.n_of(self._n_tokens(texts[stop])) == size:
                stop += size
            part = texts[n_done:stop]
            try:
                yield self._encoded(part, size)
            except Exception as error:  # what a model raises is its own affair
                self._passes.halve(min(size, len(part)), cost, error)
            else:
                n_done += len(part)

    def _encoded(self, texts: list[str], batch_size: int) -> NDArray[np.floating]:
        return self._model.encode(
            texts,
            batch_size=batch_size,
            normalize_embeddings=self._normalise,
            convert_to_numpy=True,
            show_progress_bar=False,
        )

    def _n_tokens(self, text: str) -> int:
        """About; exact ones would cost as much as those that the model makes itself."""
        n_tokens = len(text.encode()) // _BYTES_PER_TOKEN + 2
        return min(n_tokens, self._longest or n_tokens)


def _loaded(model: str, revision: str | None, load: Callable[..., "SentenceTransformer"]) -> "SentenceTransformer":
    try:
        return from_cache_first(model_place(model), revision, load, encoder=f"sentence-transformers:{model}")
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"encoder sentence-transformers:{model} cannot be loaded: {reason}") from error


def model_place(model: str) -> str | Path:
    """Where the library finds ``model``: a folder, or the name as it is.

    Raises:
        ConfigError: a path or package that is not there.
    """
    encoder = f"encoder sentence-transformers:{model}"
    if model.startswith(PACKAGE):
        module = model.removeprefix(PACKAGE)
        if not all(part.isidentifier() for part in module.split(".")):
            raise ConfigError(f"{encoder}: {module!r} is no name of a Python package: write package/<module>")
        try:
            return Path(import_module(module).get_model_path())
        except (ImportError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"{encoder}: the package {module!r} is not installed or has no "
                "get_model_path(); install it, or name a model of the hub or a folder"
            ) from error
    path = Path(model).expanduser()
    if path.is_dir():
        if not holds_model(path):
            raise ConfigError(f"{encoder}: the folder {path} holds no model, none of {', '.join(MODEL_FILES)}")
        return path.resolve()
    if model.startswith(("/", ".", "~")):
        raise ConfigError(f"{encoder}: the folder {path} does not exist")
    return model
