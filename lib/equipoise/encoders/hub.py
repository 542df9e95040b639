"""Models of the Hugging Face hub: whether one is to be had, told in seconds, by one try."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from equipoise.errors import ConfigError

MODEL_FILES = ("modules.json", "config.json", "adapter_config.json")
"""A folder with none of these holds no model."""
_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*(/[\w.\-]+)?", re.ASCII)
_SECONDS = 10
_SAID_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def is_cached(model: str, revision: str | None, *, files: Sequence[str] = MODEL_FILES) -> bool:
    """Whether this machine has one of these files of the model: asks nobody."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    found = (try_to_load_from_cache(full, name, revision=revision) for full in _full_names(model) for name in files)
    return any(isinstance(path, str) for path in found)


def _full_names(model: str) -> list[str]:
    """What the library may mean: it puts its own name before one without a slash, for most."""
    if not _NAME.fullmatch(model):
        return []
    return [model] if "/" in model else [f"sentence-transformers/{model}", model]


def check_hub(model: str, revision: str | None, *, encoder: str) -> None:
    """Asks the hub once whether it has a model; nothing where its library is not installed.

    Raises:
        ConfigError: it has none of this name, does not answer, or may not be asked.
    """
    if not _full_names(model):
        raise ConfigError(f"encoder {encoder}: {model!r} is no name of a model of the hub, and there is no such folder")
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ImportError:
        return
    instead = "name another, or a local folder with the model"
    if any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in _SAID_OFFLINE):
        raise ConfigError(f"encoder {encoder}: {model} is not on this machine, and the hub may not be asked: {instead}")
    for full in _full_names(model):
        try:
            HfApi().model_info(full, revision=revision, timeout=_SECONDS)
            return
        except (RepositoryNotFoundError, RevisionNotFoundError):
            continue
        except Exception as error:  # the client's own classes, which differ between its versions
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(
                f"encoder {encoder}: {model} is not on this machine, and the hub cannot be reached ({reason}): "
                f"{instead}"
            ) from error
    which = model if revision is None else f"{model} at revision {revision!r}"
    raise ConfigError(f"encoder {encoder}: the hub has no model {which}: {instead}")


def check_url(url: str, *, encoder: str) -> None:
    """Asks once, in seconds, whether something lies there.

    Raises:
        ConfigError: nothing does, or its server does not answer.
    """
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_SECONDS):
            return
    except HTTPError as error:
        reason = f"it answers {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    raise ConfigError(
        f"encoder {encoder}: not on this machine, and {url} cannot be had ({reason}): name another, or what lies here"
    )


def holds_model(folder: Path) -> bool:
    """Whether a folder looks like a model's."""
    return any((folder / name).is_file() for name in MODEL_FILES)
