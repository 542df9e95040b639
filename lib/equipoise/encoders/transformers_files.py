"""Files of models of the library transformers: what they say, before anything heavy is imported."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from equipoise.encoders.base import Kind
from equipoise.encoders.hub import cached_file, check_hub, fetched_file, is_cached
from equipoise.errors import ConfigError

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
BESIDE: dict[Kind, tuple[str, ...]] = {
    "images": ("preprocessor_config.json", "processor_config.json"),
    "texts": ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model"),
}
"""Of these a model has one at least, which says how pictures or texts become its input."""
READ = (".json", ".safetensors", ".bin", ".txt", ".model", ".py", ".tiktoken")
"""Endings of what the library may read of a folder."""
_OF_IMAGES = ("vision_config", "image_size", "num_channels", "patch_size")
_OF_SOUNDS = ("num_mel_bins", "feat_extract_norm", "sampling_rate")


def model_place(model: str, revision: str | None, *, encoder: str) -> Path | str:
    """Where the library finds a model: a folder, or its name on the hub as it is.

    Raises:
        ConfigError: a path that is not there, a folder without a model, or one of which a revision is asked.
    """
    path = Path(model).expanduser()
    if not path.is_dir():
        if model.startswith(("/", ".", "~")):
            raise ConfigError(f"encoder {encoder}: the folder {path} does not exist")
        return model
    if not (path / CONFIG).is_file():
        raise ConfigError(f"encoder {encoder}: the folder {path} holds no model, no {CONFIG}")
    if revision is not None:
        raise ConfigError(f"encoder {encoder}: a folder has no revision, its files say which model it is: drop it")
    return path.resolve()


def config_of(place: Path | str, revision: str | None, *, encoder: str) -> dict[str, Any]:
    """The ``config.json`` of a model; the hub is asked for it where this machine has it not.

    Raises:
        ConfigError: it is not to be had, or not to be read.
    """
    if isinstance(place, Path):
        file = place / CONFIG
    else:
        file = cached_file(place, CONFIG, revision) or fetched_file(place, CONFIG, revision, encoder=encoder)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"encoder {encoder}: {file} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"encoder {encoder}: {file} is no config of a model")
    return config


def kind_in(config: dict[str, Any], *, encoder: str) -> Kind:
    """What a model of this config reads; of one that reads both, such as CLIP, images.

    Raises:
        ConfigError: the config does not say, or it reads neither.
    """
    if not any(key in config for key in _OF_SOUNDS):
        if any(key in config for key in _OF_IMAGES):
            return "images"
        if "vocab_size" in config:
            return "texts"
    raise ConfigError(
        f"encoder {encoder}: by its {CONFIG} (model_type {config.get('model_type')!r}) the model reads neither images "
        "(image_size or vision_config) nor texts (vocab_size)"
    )


def check_files(place: Path | str, revision: str | None, kind: Kind, *, encoder: str) -> None:
    """Looks whether weights and processor are there; of a model that this machine has not, asks the hub once.

    Raises:
        ConfigError: they are not.
    """
    if isinstance(place, str):
        if not is_cached(place, revision, files=WEIGHTS, owner=None):
            check_hub(place, revision, encoder=encoder, owner=None)
        return
    for wanted in (WEIGHTS, BESIDE[kind]):
        if not any((place / name).is_file() for name in wanted):
            raise ConfigError(f"encoder {encoder}: the folder {place} has none of {', '.join(wanted)}")


def check_code(config: dict[str, Any], *, trusted: bool, encoder: str) -> None:
    """Looks whether the model needs code of its own that nobody said may run.

    Raises:
        ConfigError: it does.
    """
    library = find_spec("transformers")
    folder = Path(library.origin).parent if library is not None and library.origin else Path()
    is_known = (folder / "models" / str(config.get("model_type")).replace("-", "_")).is_dir()
    if "auto_map" in config and not is_known and not trusted:
        raise ConfigError(
            f"encoder {encoder}: the model brings code of its own, which would run on every machine: read it, then set "
            "trust_remote_code: true and, of a model of the hub, revision to the commit that you read"
        )
