"""Models of the Hugging Face hub: whether one is to be had, told in seconds, by one try."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from equipoise.errors import ConfigError

MODEL_FILES = ("modules.json", "config.json", "adapter_config.json")
"""A folder with none of these holds no model."""
_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*(/[\w.\-]+)?", re.ASCII)
_SECONDS = 10
_SAID_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_OWNER = "sentence-transformers"
Found = TypeVar("Found")


def is_cached(
    model: str, revision: str | None, *, files: Sequence[str] = MODEL_FILES, owner: str | None = _OWNER
) -> bool:
    """Whether this machine has one of these files of the model: asks nobody.

    Args:
        model: its name.
        revision: branch, tag or commit.
        files: their names.
        owner: what the library puts before a name without a slash, for most.
    """
    return any(cached_file(full, file, revision) for full in _full_names(model, owner) for file in files)


def cached_file(full_name: str, file: str, revision: str | None) -> Path | None:
    """Where this machine has a file of a model, if it has: asks nobody."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(full_name, file, revision=revision) if _NAME.fullmatch(full_name) else None
    return Path(found) if isinstance(found, str) else None


def fetched_file(full_name: str, file: str, revision: str | None, *, encoder: str) -> Path:
    """A file of a model, asked of the hub.

    Raises:
        ConfigError: the hub does not have the model, or not the file, does not answer, or may not be asked.
    """
    check_hub(full_name, revision, encoder=encoder, owner=None)
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(full_name, file, revision=revision, etag_timeout=_SECONDS))
    except Exception as error:  # the client's own classes, which differ between its versions
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"encoder {encoder}: {file} of {full_name} cannot be had of the hub: {reason}") from error


def from_cache_first(
    place: Path | str, revision: str | None, load: Callable[..., Found], *, encoder: str, owner: str | None = _OWNER
) -> Found:
    """What this machine has of a model of the hub is taken, and nobody is asked, unless some of it is missing.

    Args:
        place: a folder, or a name of the hub.
        revision: branch, tag or commit.
        load: takes a place, and by keyword ``local_files_only`` and ``revision``.
        encoder: for messages.
        owner: what the library puts before a name without a slash, for most.

    Raises:
        ConfigError: the hub has no such model, does not answer, or may not be asked.
    """
    if isinstance(place, Path):
        return load(str(place), local_files_only=True)
    if is_cached(place, revision, owner=owner):
        try:
            return load(place, local_files_only=True, revision=revision)
        except OSError:
            check_hub(place, revision, encoder=encoder, owner=owner)
    return load(place, revision=revision)


def _full_names(model: str, owner: str | None) -> list[str]:
    """What the library may mean."""
    if not _NAME.fullmatch(model):
        return []
    return [model] if "/" in model or owner is None else [f"{owner}/{model}", model]


def check_hub(model: str, revision: str | None, *, encoder: str, owner: str | None = _OWNER) -> None:
    """Asks the hub once whether it has a model; nothing where its library is not installed.

    Raises:
        ConfigError: it has none of this name, does not answer, or may not be asked.
    """
    if not _full_names(model, owner):
        raise ConfigError(f"encoder {encoder}: {model!r} is no name of a model of the hub, and there is no such folder")
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ImportError:
        return
    instead = "name another, or a local folder with the model"
    if any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in _SAID_OFFLINE):
        raise ConfigError(f"encoder {encoder}: {model} is not on this machine, and the hub may not be asked: {instead}")
    for full in _full_names(model, owner):
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
