"""Images by the image tower of any model of the library open_clip."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from equipoise.encoders.base import needs
from equipoise.encoders.files import folder_hash, model_file, model_folder
from equipoise.encoders.hub import check_hub, is_cached
from equipoise.encoders.image_encoder import TorchImageEncoder, loading, stated
from equipoise.encoders.preparing import Interpolation, expressible
from equipoise.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch

HUB, FOLDER = "hf-hub", "local-dir"
CONFIG = "open_clip_config.json"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class OpenClipEncoder(TorchImageEncoder):
    """A picture's place in the space that a model shares between images and texts; of images alone here.

    Args:
        model: ``<model>/<tag of its weights>`` as ``open_clip.list_pretrained()`` has them, ``<model>`` with a
            ``checkpoint``, ``hf-hub:<owner>/<name>``, or ``local-dir:<folder>``.
        checkpoint: a file with the weights, in the place of those of the tag, which says how pictures are prepared.
        revision: branch, tag or commit on the hub.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`.

    Raises:
        ConfigError: the library, the model or the file is not there, or an option is out of range.
    """

    family = "open_clip"
    files = ("checkpoint",)

    def __init__(
        self, model: str, *, checkpoint: str | None = None, revision: str | None = None, **shared: Any
    ) -> None:
        self.check(model, checkpoint=checkpoint, revision=revision, **shared)
        self._name, self._checkpoint, self._revision = model, checkpoint, revision
        with loading(self.name_of(model)):
            self._config = _config(model, revision)
        super().__init__(model, **shared)

    @classmethod
    def check(cls, model: str, *, checkpoint: str | None = None, revision: str | None = None, **options: Any) -> None:
        """Looks whether the model is to be had, without loading it: a hub is asked once at most.

        Raises:
            ConfigError: it is not, or an option is out of range.
        """
        encoder = cls.name_of(model)
        needs("open_clip", extra="open-clip", encoder=encoder)
        if checkpoint is not None:
            model_file(checkpoint, encoder=encoder)
        source, which = _parts(model)
        if source and checkpoint is not None:
            raise ConfigError(f"encoder {encoder} brings its weights: drop checkpoint, or name a model of open_clip's")
        if revision is not None and (source == FOLDER or checkpoint is not None):
            raise ConfigError(f"encoder {encoder}: revision is {revision!r}; it is of models of the hub, not of files")
        if source == HUB:
            if not is_cached(which, revision, files=(CONFIG,)):
                check_hub(which, revision, encoder=encoder)
                return  # how it prepares pictures is not known yet
        elif source == FOLDER:
            model_folder(which, CONFIG, encoder=encoder)
        else:
            _check_listed(which, checkpoint, revision, encoder)
        given = stated(options)
        with loading(encoder):
            config = _config(model, revision)
        cls.prepared(model, {**_preparation(config, given, encoder=encoder), **given})

    @classmethod
    def revision_of(cls, model: str) -> str:
        """Of a folder the hash of its files; else the name says it.

        Raises:
            ConfigError: there is no such folder, or it cannot be read.
        """
        source, which = _parts(model)
        return folder_hash(which, encoder=cls.name_of(model)) if source == FOLDER else model

    def own_preparation(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """That which belongs to the weights."""
        return _preparation(self._config, given, encoder=self.encoder)

    def torch_model(self, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
        """The model; position embeddings fit the size that pictures have."""
        import open_clip

        side = self.preparation.side
        forced = {"force_image_size": side} if side != self._config["size"] else {}
        name, weights = self._weights()
        model = open_clip.create_model(
            name,
            pretrained=weights,
            require_pretrained=True,
            # Some weights were trained with another function than the model of this name has; their tags say so.
            force_quick_gelu=bool(self._config.get("quick_gelu")),
            weights_only=True,
            **forced,
        )
        for tower in [name for name, _ in model.named_children() if name != "visual"]:
            setattr(model, tower, None)  # texts are not read here: their tower would double the memory
        return model.eval().to(device).encode_image

    def _weights(self) -> tuple[str, str | None]:
        """The model as ``open_clip.create_model`` is told it, and the file of its weights where it is told that."""
        import open_clip
        from open_clip.pretrained import download_pretrained_from_hf

        source, which = _parts(self._name)
        if source == HUB and self._revision is not None:
            from huggingface_hub import snapshot_download

            return f"{FOLDER}:{snapshot_download(which, revision=self._revision, allow_patterns='open_clip*')}", None
        if source:
            return f"{source}:{Path(which).expanduser() if source == FOLDER else which}", None
        model, _, tag = which.partition("/")
        if self._checkpoint is not None:
            return model, str(model_file(self._checkpoint, encoder=self.encoder))
        repository, _, file = open_clip.get_pretrained_cfg(model, tag)["hf_hub"].rpartition("/")
        return model, str(download_pretrained_from_hf(repository, filename=file or None, revision=self._revision))


def _parts(model: str) -> tuple[str, str]:
    """The source, empty for open_clip's own list, and what it is called there."""
    for source in (HUB, FOLDER):
        if model.startswith(f"{source}:"):
            return source, model.removeprefix(f"{source}:")
    return "", model


def _check_listed(which: str, checkpoint: str | None, revision: str | None, encoder: str) -> None:
    """Looks whether open_clip knows a model and the tag of its weights, and whether these are to be had."""
    import open_clip

    model, _, tag = which.partition("/")
    if model not in open_clip.list_models():
        known = open_clip.list_models()
        raise ConfigError(f"encoder {encoder}: open_clip has no model {model!r}; {nearest(model, known)}")
    tags = [own for of, own in open_clip.list_pretrained() if of == model]
    if tag and tag not in tags:
        raise ConfigError(f"encoder {encoder}: open_clip has no weights {tag!r} of {model}; {nearest(tag, tags)}")
    if checkpoint is not None:
        return
    if not tag:
        which = ", ".join(f"{model}/{own}" for own in tags)
        ways_out = f"write one of {which}" if tags else "open_clip has none"
        raise ConfigError(f"encoder {encoder} does not say which weights: {ways_out}, or name a file: checkpoint")
    repository, _, file = open_clip.get_pretrained_cfg(model, tag)["hf_hub"].rpartition("/")
    files = (file, file.rpartition(".")[0] + ".safetensors") if file else _WEIGHTS
    if not is_cached(repository, revision, files=files):
        check_hub(repository, revision, encoder=encoder)


def _config(model: str, revision: str | None) -> dict[str, Any]:
    """What the weights say of pictures (``size``, ``mean``, ``resize_mode``, ...) and of the model (``quick_gelu``)."""
    import json
    from dataclasses import asdict

    import open_clip
    from open_clip.transform import PreprocessCfg

    source, which = _parts(model)
    if source:
        file = Path(which).expanduser() / CONFIG if source == FOLDER else _fetched(which, revision)
        written = json.loads(file.read_text(encoding="utf-8"))
        architecture, told = written["model_cfg"], dict(written.get("preprocess_cfg", {}))
        told["quick_gelu"] = False  # the architecture itself says so
    else:
        name, _, tag = which.partition("/")
        architecture = open_clip.get_model_config(name)
        told = dict(open_clip.get_pretrained_cfg(name, tag)) if tag else {}
    known = {**asdict(PreprocessCfg()), **{key: value for key, value in told.items() if value is not None}}
    return {**known, "size": architecture["vision_cfg"].get("image_size", known["size"])}


def _fetched(which: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(which, CONFIG, revision=revision))


def _preparation(config: Mapping[str, Any], given: Mapping[str, Any], *, encoder: str) -> dict[str, Any]:
    """How open_clip prepares pictures for these weights, in our words.

    Raises:
        ConfigError: in a way that no option stands for, and ``given`` has no other.
    """
    is_square = isinstance(config["size"], int)
    own = {
        "size": config["size"] if is_square else None,
        "resize": {"shortest": "shortest_side", "squash": "square"}.get(config["resize_mode"]),
        "crop": config["size"] if is_square else None,
        "interpolation": config["interpolation"] if config["interpolation"] in get_args(Interpolation) else None,
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
    }
    told = f"{config['resize_mode']}, {config['size']}"
    return expressible(own, given, told=told, encoder=encoder)
