"""Images by the backbone of a training run of DINO or DINOv2: the encoders of the papers on curation are such."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from equipoise.encoders.base import needs
from equipoise.encoders.dino_weights import Architecture, Network, Weights, weights_of
from equipoise.encoders.files import file_hash, model_file
from equipoise.encoders.image_encoder import TorchImageEncoder, loading
from equipoise.encoders.preparing import Preparation

if TYPE_CHECKING:
    import torch
    from timm.models.vision_transformer import VisionTransformer

Pool = Literal["cls", "mean", "cls_mean"]


class DinoCheckpointEncoder(TorchImageEncoder):
    """A vision transformer whose architecture is read from its weights; timm has its parts.

    By default pictures are prepared as DINO and DINOv2 are evaluated: 224 of 256 pixels, bicubic. Position embeddings
    are interpolated to ``crop``, as timm does it.

    Args:
        path: a checkpoint of the run, or the backbone alone as it is published.
        pool: ``cls``: the CLS token; ``mean`` of the patches; ``cls_mean``: one after the other.
        network: of a checkpoint with both, which.
        heads: of attention; None: one for 64 numbers of a token, as in all published models.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`.

    Raises:
        ConfigError: timm or the file is not there, the weights are others, or an option does not go with them.
    """

    family = "dino-checkpoint"
    defaults = Preparation(size=256, resize="shortest_side", crop=224, interpolation="bicubic").model_dump()

    def __init__(
        self,
        path: str,
        *,
        pool: Pool = "cls",
        network: Network = "teacher",
        heads: Annotated[int, Field(gt=0, le=256)] | None = None,
        **shared: Any,
    ) -> None:
        self.check(path, network=network, heads=heads, **shared)
        self._path, self._pool, self._network, self._heads = path, pool, network, heads
        super().__init__(path, **shared)

    @classmethod
    def check(cls, path: str, *, network: Network | None = None, heads: int | None = None, **options: Any) -> None:
        """Looks whether the weights are recognised, without loading them.

        Raises:
            ConfigError: they are not, or an option is out of range.
        """
        encoder = cls.name_of(path)
        needs("timm", extra="timm", encoder=encoder)
        file = model_file(path, encoder=encoder)
        side = cls.prepared(path, options).side
        with loading(encoder):
            weights = weights_of(file, network or "teacher", encoder=encoder)
            Architecture.of(weights, heads, encoder=encoder).check_side(side, encoder=encoder)

    @classmethod
    def revision_of(cls, path: str) -> str:
        """The SHA-256 of the file.

        Raises:
            ConfigError: there is no such file, or it cannot be read.
        """
        return file_hash(path, encoder=cls.name_of(path))

    def torch_model(self, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
        """The backbone, whose tokens are pooled."""
        from equipoise.encoders.torch_models import pooled

        weights = weights_of(model_file(self._path, encoder=self.encoder), self._network, encoder=self.encoder)
        architecture = Architecture.of(weights, self._heads, encoder=self.encoder)
        model = transformer(architecture, weights, side=self.preparation.side).eval().to(device)
        n_prefix = 1 + architecture.n_registers
        return lambda pictures: pooled(model.forward_features(pictures), self._pool, n_prefix=n_prefix)


def transformer(architecture: Architecture, weights: Weights, *, side: int) -> "VisionTransformer":
    """timm's vision transformer with these weights, which all fit, for pictures of ``side`` pixels."""
    import torch
    from timm.layers import SwiGLUPacked
    from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

    gated: dict[str, Any] = {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU} if architecture.is_gated else {}
    model = VisionTransformer(
        img_size=side,
        patch_size=architecture.patch,
        embed_dim=architecture.width,
        depth=architecture.depth,
        num_heads=architecture.heads,
        # The library multiplies and rounds down.
        mlp_ratio=(architecture.hidden + 0.5) / architecture.width,
        qkv_bias=architecture.has_biases,
        init_values=1.0 if architecture.is_scaled else None,
        reg_tokens=architecture.n_registers,
        no_embed_class=architecture.n_registers > 0,
        num_classes=0,
        **gated,
    )
    # The token by which timm knows DINOv2's own names; of DINO's the same stay.
    named = {"mask_token": torch.zeros(1, architecture.width), **weights}
    model.load_state_dict(checkpoint_filter_fn(named, model), strict=True)
    return model
