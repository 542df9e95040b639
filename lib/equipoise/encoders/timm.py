"""Images by any model of the library timm: names of its registry, of the hub, or a folder as timm saves one."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from equipoise.encoders.base import needs
from equipoise.encoders.files import folder_hash, model_file, model_folder
from equipoise.encoders.hub import check_hub, is_cached
from equipoise.encoders.image_encoder import TorchImageEncoder, loading, stated
from equipoise.encoders.timm_models import (
    FOLDER,
    HUB,
    check_registered,
    check_weights,
    config_of,
    full_name,
    parts_of,
    pinned,
    preparation_of,
    with_weights,
)
from equipoise.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch

Pool = Literal["own", "cls", "mean", "cls_mean"]


class TimmEncoder(TorchImageEncoder):
    """Features of a model of timm, without its classifier; pictures are prepared by its own data config.

    Args:
        model: a name with its tag, ``vit_small_patch14_dinov2.lvd142m``; ``hf-hub:<owner>/<name>``, with or without
            the prefix; ``local-dir:<folder>``.
        pool: ``own``: as the model pools them; of models that have tokens ``cls``, ``mean`` (of the patches), or
            ``cls_mean``, one after the other.
        checkpoint: a file with other weights of this model, with or without a classifier.
        revision: branch, tag or commit on the hub.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`.

    Raises:
        ConfigError: the library, the model or the file is not there, or an option does not go with the model.
    """

    family = "timm"
    files = ("checkpoint",)

    def __init__(
        self,
        model: str,
        *,
        pool: Pool = "own",
        checkpoint: str | None = None,
        revision: str | None = None,
        **shared: Any,
    ) -> None:
        self.check(model, pool=pool, checkpoint=checkpoint, revision=revision, **shared)
        self._name, self._pool = full_name(model), pool
        self._checkpoint, self._revision = checkpoint, revision
        with loading(self.name_of(model)):
            self._config = config_of(self._name, revision)
        super().__init__(model, **shared)

    @classmethod
    def check(cls, model: str, *, checkpoint: str | None = None, revision: str | None = None, **options: Any) -> None:
        """Looks whether the model is to be had, without loading it: a hub is asked once at most.

        Raises:
            ConfigError: it is not, or an option is out of range.
        """
        encoder, name = cls.name_of(model), full_name(model)
        needs("timm", extra="timm", encoder=encoder)
        if checkpoint is not None:
            model_file(checkpoint, encoder=encoder)
        source, which = parts_of(name)
        if source not in ("", HUB, FOLDER):
            raise ConfigError(f"encoder {encoder}: {source!r} is no source of models; {nearest(source, (HUB, FOLDER))}")
        if revision is not None and (source == FOLDER or (checkpoint is not None and source != HUB)):
            raise ConfigError(f"encoder {encoder}: revision is {revision!r}; it is of models of the hub, not of files")
        if source == HUB:
            if not is_cached(which, revision, files=("config.json",)):
                check_hub(which, revision, encoder=encoder)
                return  # its data config is not known yet
        elif source == FOLDER:
            model_folder(which, "config.json", encoder=encoder)
        else:
            check_registered(which, encoder)
            if checkpoint is None:
                check_weights(which, revision, encoder)
        given = stated(options)
        with loading(encoder):
            config = config_of(name, revision)
        cls.prepared(model, {**preparation_of(config, given, encoder=encoder), **given})

    @classmethod
    def revision_of(cls, model: str) -> str:
        """Of a folder the hash of its files; else the name says it.

        Raises:
            ConfigError: there is no such folder, or it cannot be read.
        """
        source, which = parts_of(full_name(model))
        return folder_hash(which, encoder=cls.name_of(model)) if source == FOLDER else full_name(model)

    def own_preparation(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """That of the model's data config."""
        return preparation_of(self._config, given, encoder=self.encoder)

    def torch_model(self, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
        """The model without its classifier; position embeddings fit the size that pictures have."""
        import timm

        arguments: dict[str, Any] = {"num_classes": 0}
        if self._config.get("fixed_input_size") and self.preparation.side != self._config["input_size"][-1]:
            arguments["img_size"] = self.preparation.side
        if self._checkpoint is not None:
            file = model_file(self._checkpoint, encoder=self.encoder)
            model = with_weights(self._name, file, self._config, arguments)
        else:
            name, overlay = pinned(self._name, self._config, self._revision)
            model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **arguments)
        return _pooling(model.eval().to(device), self._pool, self.encoder)


def _pooling(model: Any, pool: Pool, encoder: str) -> Callable[["torch.Tensor"], Any]:
    from equipoise.encoders.torch_models import pooled

    if pool == "own":
        return model
    n_prefix = getattr(model, "num_prefix_tokens", None)
    if n_prefix is None or (pool != "mean" and getattr(model, "cls_token", None) is None):
        lacks = "tokens" if n_prefix is None else "CLS token"
        raise ConfigError(f"encoder {encoder}: pool is {pool!r}, and the model has no {lacks}; leave it at own")
    return lambda pictures: pooled(model.forward_features(pictures), pool, n_prefix=n_prefix)
