"""What timm knows of a model, of its weights and of how it is given pictures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from equipoise.encoders.hub import check_hub, check_url, is_cached
from equipoise.encoders.preparing import Interpolation, expressible
from equipoise.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch

HUB, FOLDER = "hf-hub", "local-dir"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_STATED = {"input_size": (3, 224, 224)}
"""Of a model that timm has no config of; the rest is as timm has it then."""


def full_name(model: str) -> str:
    """As timm has it: what has a slash and no source before it is of the hub."""
    is_of_hub = "/" in model and ":" not in model
    return f"{HUB}:{model}" if is_of_hub else model


def parts_of(name: str) -> tuple[str, str]:
    """The source of a full name, empty for timm's own registry, and what it is called there."""
    source, colon, which = name.partition(":")
    return (source, which) if colon else ("", source)


def preparation_of(config: Mapping[str, Any], given: Mapping[str, Any], *, encoder: str) -> dict[str, Any]:
    """How timm prepares pictures for this model, in our words.

    Args:
        config: the model's, of the form of ``timm.get_pretrained_cfg``.
        given: options of the config, which count for more.
        encoder: for messages.

    Raises:
        ConfigError: in a way that no option stands for, and ``given`` has no other.
    """
    from timm.data import resolve_data_config

    data = resolve_data_config(pretrained_cfg=dict(config))
    side, width = data["input_size"][-2:]
    own = {
        "size": int(side / data["crop_pct"]),
        "resize": {"center": "shortest_side", "squash": "square"}.get(data["crop_mode"]),
        "crop": side,
        "interpolation": data["interpolation"] if data["interpolation"] in get_args(Interpolation) else None,
        "mean": tuple(data["mean"]),
        "std": tuple(data["std"]),
    }
    if side != width:
        own |= {"size": None, "crop": None}
    told = f"{data['crop_mode']}, {data['interpolation']}, {side} x {width}"
    return expressible(own, given, told=told, encoder=encoder)


def config_of(name: str, revision: str | None) -> dict[str, Any]:
    """The model's config as timm has it; of the hub fetched where this machine has not got it."""
    import timm
    from timm.models import load_model_config_from_hf

    source, which = parts_of(name)
    if source == HUB:
        return dict(load_model_config_from_hf(_at(which, revision))[0])
    if source == FOLDER:
        written: dict[str, Any] = json.loads((Path(which).expanduser() / "config.json").read_text(encoding="utf-8"))
        return dict(written.get("pretrained_cfg", written))
    found = timm.get_pretrained_cfg(name)
    return found.to_dict() if found else dict(_STATED)


def check_registered(name: str, encoder: str) -> None:
    """Looks whether timm knows a name without a source, and its tag.

    Raises:
        ConfigError: it does not; names the nearest.
    """
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ConfigError(
            f"encoder {encoder}: timm has no model {architecture!r}; {nearest(architecture, timm.list_models())}"
        )
    known = [full.partition(".")[2] for full in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag and tag not in known:
        raise ConfigError(f"encoder {encoder}: timm has no weights {tag!r} of {architecture}; {nearest(tag, known)}")


def check_weights(name: str, revision: str | None, encoder: str) -> None:
    """Looks whether the weights of a name are to be had: asks a hub once, where this machine has not got them.

    Raises:
        ConfigError: there are none, several, or they cannot be had.
    """
    import timm

    known = timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)
    if not known:
        raise ConfigError(f"encoder {encoder}: timm has no weights of this model; name a file of them: checkpoint")
    if "." not in name and len(known) > 1:  # which one is the default may change with timm
        raise ConfigError(f"encoder {encoder}: timm has several weights of this model; write one of {', '.join(known)}")
    config = timm.get_pretrained_cfg(name)
    if not config.hf_hub_id:
        if revision is not None:
            raise ConfigError(f"encoder {encoder}: revision is {revision!r}; it is of the hub, and not this model")
        check_url(config.url, encoder=encoder)
    elif not is_cached(config.hf_hub_id, revision, files=_WEIGHTS):
        check_hub(config.hf_hub_id, revision, encoder=encoder)


def _at(which: str, revision: str | None) -> str:
    return which if revision is None else f"{which}@{revision}"


def pinned(name: str, config: Mapping[str, Any], revision: str | None) -> tuple[str, dict[str, Any] | None]:
    """The name and what of its config is to be replaced, so that timm takes this revision."""
    source, which = parts_of(name)
    if revision is None:
        return name, None
    if source == HUB:
        return f"{HUB}:{_at(which, revision)}", None
    # Of other places of weights timm assumes that they are in its own form.
    overlay = {"hf_hub_id": _at(config["hf_hub_id"], revision), "custom_load": config.get("custom_load", False)}
    return name, overlay


def with_weights(name: str, file: Path, config: Mapping[str, Any], arguments: Mapping[str, Any]) -> "torch.nn.Module":
    """The model with weights of a file, all of which must fit: timm is strict only about a classifier that it keeps."""
    import timm
    from timm.models import load_state_dict

    own = config.get("classifier") or ()
    classifiers = (own,) if isinstance(own, str) else tuple(own)
    weights = load_state_dict(str(file))
    n_classes = next((len(weights[f"{head}.weight"]) for head in classifiers if f"{head}.weight" in weights), 0)
    del weights
    overlay = {
        "file": str(file), "source": None, "custom_load": False, "num_classes": n_classes, "label_offset": None,
    }  # fmt: skip
    model = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay=overlay, **{**arguments, "num_classes": n_classes}
    )
    model.reset_classifier(0)
    return model
