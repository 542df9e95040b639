"""Images and texts -> vectors. Encoders are loaded by name: ``<family>`` or ``<family>:<which>``."""

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from equipoise.encoders.base import Encoder, Kind, UnreadableItem
from equipoise.encoders.files import file_hash
from equipoise.errors import ConfigError, nearest

__all__ = [
    "Encoder",
    "Kind",
    "UnreadableItem",
    "check_encoder",
    "encoder_id",
    "encoder_kind",
    "encoder_options",
    "given_encoder_id",
    "load_encoder",
    "n_gpus",
    "uses_gpu",
]


@dataclass(frozen=True)
class Family:
    """One kind of encoders.

    Their class takes the argument (where there is one), then the options as keywords, whose annotations are what a
    config may give: ``Annotated[int, Field(gt=0, le=512)]``; those that it passes on as ``**`` are those of the class
    that it derives from, with the values of its ``defaults`` where it says nothing. Keywords ``gpu`` and
    ``n_threads`` say where it runs and are no options. Static methods may be there: ``revision_of(argument)`` stands
    for a revision of the model, ``check(argument, **options)`` looks before Spark starts whether it is to be had,
    ``kind_of(argument, **options)`` says what it reads where its class's ``kind`` does not, ``n_gpus()`` how many GPUs
    its library could use here, where that is not torch;
    the class's ``code_revision`` (1 without) is raised when it makes other vectors of the same. ``is_file``: the
    argument may be a path, and the revision alone says which model it is, wherever that lies. Options in the class's
    ``files`` are paths, too, and known by their hashes. ``is_user_code``: the class is made for an argument, and stands
    for what that names.
    """

    module: str
    name: str
    argument: str | None = None
    is_file: bool = False
    is_user_code: bool = False

    def load(self, argument: str | None) -> Callable[..., Encoder]:
        """The class: imported only when it is asked for, since its libraries are heavy."""
        found = getattr(import_module(f"equipoise.encoders.{self.module}"), self.name)
        return found(argument) if self.is_user_code else found


FAMILIES = {
    "dino-checkpoint": Family("dino_checkpoint", "DinoCheckpointEncoder", "<file>", is_file=True),
    "open_clip": Family(
        "open_clip", "OpenClipEncoder", "<model/tag, hf-hub:owner/name or local-dir:folder>", is_file=True
    ),
    "onnx": Family("onnx", "OnnxEncoder", "<file>", is_file=True),
    "pixels": Family("pixels", "PixelsEncoder"),
    "python": Family("user_code", "UserEncoder", "<module>:<class or function>", is_user_code=True),
    "sentence-transformers": Family(
        "sentence_transformers", "SentenceTransformersEncoder", "<name, folder or package/module>"
    ),
    "timm": Family("timm", "TimmEncoder", "<model of timm, hf-hub:owner/name or local-dir:folder>", is_file=True),
    "torchhub": Family("torchhub", "TorchHubEncoder", "<owner/repository or folder>:<entry point>", is_file=True),
    "torchscript": Family("torchscript", "TorchScriptEncoder", "<file>", is_file=True),
    "transformers": Family("transformers", "TransformersEncoder", "<name or folder>", is_file=True),
}
_PLACEMENT = ("gpu", "n_threads")


def load_encoder(name: str, *, gpu: int | None = None, n_threads: int | None = None, **options: Any) -> Encoder:
    """The encoder, with its model loaded.

    Args:
        name: a family, and after a colon which one of it: ``pixels``, ``sentence-transformers:<model>``,
            ``torchscript:<file>``.
        gpu: the CUDA device to use, modulo their number; ignored by encoders that need none.
        n_threads: of the model, where its library has threads of its own and is told at once; None: as it likes.
        options: the encoder's own.

    Raises:
        ConfigError: an unknown family or option, a value out of range, a model that is not there.
    """
    make, argument = _made(name)
    _bind(name, make, options)
    arguments = [] if argument is None else [argument]
    told = zip(_PLACEMENT, (gpu, n_threads), strict=True)
    placement = {keyword: value for keyword, value in told if keyword in _keywords(make)}
    return make(*arguments, **options, **placement)


def uses_gpu(name: str) -> bool:
    """Whether the encoder's model goes to a GPU where there is one. Loads no model.

    Raises:
        ConfigError: an unknown family.
    """
    return _PLACEMENT[0] in _keywords(_made(name)[0])


def n_gpus(name: str) -> int | None:
    """How many GPUs of this machine the encoder's own library could use; None: as many as torch does.

    Raises:
        ConfigError: an unknown family.
    """
    make = _made(name)[0]
    return make.n_gpus() if hasattr(make, "n_gpus") else None


def encoder_kind(name: str, options: Mapping[str, Any] | None = None) -> Kind:
    """What the encoder reads: ``"images"`` or ``"texts"``. Loads no model; of one that may be either, its files tell.

    Raises:
        ConfigError: an unknown family or option, a model whose files are not to be had.
    """
    make, argument = _made(name)
    given = dict(options or {})
    _bind(name, make, given)
    return make.kind_of(argument, **given) if hasattr(make, "kind_of") else make.kind  # type: ignore[attr-defined]


def check_encoder(name: str, options: Mapping[str, Any]) -> None:
    """Looks whether the encoder's model is to be had. Loads no model, and asks a hub at most once.

    Raises:
        ConfigError: an unknown family or option, a model that is not there.
    """
    make, argument = _made(name)
    _bind(name, make, options)
    if hasattr(make, "check"):
        make.check(argument, **options)


def encoder_options(name: str) -> Mapping[str, inspect.Parameter]:
    """The encoder's own options with their types, bounds and defaults, as its class declares them. Loads no model.

    Raises:
        ConfigError: an unknown family.
    """
    return _options(_made(name)[0])


def encoder_id(name: str, options: Mapping[str, Any]) -> str:
    """A stable, readable id: the name and a hash of name, revisions and the options that differ from the defaults.

    So an option that comes later changes no id where nobody sets it, nor does the folder that a model's file lies in.

    Only letters, digits, ``.``, ``_`` and ``-``: a partition value and a part of paths. Loads no model.

    Raises:
        ConfigError: an unknown family or option.
    """
    family, argument = _find(name)
    make = family.load(argument)
    revision = make.revision_of(argument) if hasattr(make, "revision_of") else None
    defaults = _bind(name, make, {})
    given = _bind(name, make, options)
    files = getattr(make, "files", ())
    own = {
        option: file_hash(value, encoder=name) if option in files else value
        for option, value in given.items()
        if _json(value) != _json(defaults[option])
    }
    model = name.partition(":")[0] if family.is_file else name
    identity = _json([model, revision, getattr(make, "code_revision", 1), own])
    parts = [name.partition(":")[0], *([argument.rstrip("/").rpartition("/")[2]] if argument else [])]
    return f"{_safe('-'.join(parts))[:80]}-{_short_hash(identity)}"


def given_encoder_id(source: str) -> str:
    """The encoder id of a source's ready-made embeddings."""
    safe = _safe(source)
    return f"given-{safe}" if safe == source else f"given-{safe}-{_short_hash(source)}"


def _find(name: str) -> tuple[Family, str | None]:
    key, colon, argument = name.partition(":")
    family = FAMILIES.get(key)
    if family is None:
        raise ConfigError(f"encoder {name!r} is unknown; {nearest(key, FAMILIES)}")
    if family.argument and not argument:
        raise ConfigError(f"encoder {name!r} does not say which; write {key}:{family.argument}")
    if colon and not family.argument:
        raise ConfigError(f"encoder {name!r}: {key} takes nothing after a colon; write {key!r} and options beside it")
    return family, argument or None


def _made(name: str) -> tuple[Callable[..., Encoder], str | None]:
    family, argument = _find(name)
    return family.load(argument), argument


def _keywords(make: Callable[..., Encoder]) -> dict[str, inspect.Parameter]:
    """The keywords of a class, and of those that it derives from as far as it passes them on."""
    if not inspect.isclass(make):
        return dict(inspect.signature(make).parameters)
    found: dict[str, inspect.Parameter] = {}
    for parent in inspect.getmro(make):
        parameters = inspect.signature(parent.__init__).parameters.values()  # type: ignore[misc]
        own = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
        found |= {parameter.name: parameter for parameter in own if parameter.name not in found}
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _options(make: Callable[..., Encoder]) -> dict[str, inspect.Parameter]:
    defaults = getattr(make, "defaults", {})
    return {
        name: parameter.replace(default=defaults.get(name, parameter.default))
        for name, parameter in _keywords(make).items()
        if name not in _PLACEMENT
    }


def _bind(name: str, make: Callable[..., Encoder], options: Mapping[str, Any]) -> dict[str, Any]:
    """All options: those that are given, the others' defaults, for which null stands too."""
    known = {option: parameter.default for option, parameter in _options(make).items()}
    for option in options.keys() - known.keys():
        raise ConfigError(f"encoder {name!r} has no option {option!r}; {nearest(option, known)}")
    return {**known, **{option: value for option, value in options.items() if value is not None}}


def _json(value: Any) -> str:
    """The same for a tuple and the list that it becomes on its way to a worker."""
    return json.dumps(value, sort_keys=True, default=str)


def _safe(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z._\-]+", "-", text)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
