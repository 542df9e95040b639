"""Images or texts by any model of the library transformers: DINOv2, DINOv3, CLIP, SigLIP, BERT and its kin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from equipoise.encoders.base import Kind, needs, unit_vectors
from equipoise.encoders.files import folder_hash
from equipoise.encoders.image_encoder import loading
from equipoise.encoders.transformers_files import (
    READ,
    check_code,
    check_files,
    config_of,
    kind_in,
    model_place,
)
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    from equipoise.encoders.transformers_images import ImageReader
    from equipoise.encoders.transformers_texts import TextReader

Pool = Literal["cls", "pooled", "mean", "cls_mean", "last"]
POOLS: dict[Kind, tuple[str, ...]] = {"images": ("cls", "pooled", "mean", "cls_mean"), "texts": ("mean", "cls", "last")}
LIBRARIES: dict[Kind, tuple[str, ...]] = {
    "images": ("transformers", "torch", "torchvision"),
    "texts": ("transformers", "torch"),
}


class TransformersEncoder:
    """A model of the Hugging Face hub or a local folder, with its own processor or tokenizer.

    Whether it reads images or texts is seen from its files; of a model that reads both, images.

    Args:
        model: a name on the hub (what this machine has of it is taken as it is), or a folder.
        pool: how its tokens become a vector. Of images: ``cls``, ``pooled`` (what the model itself makes of them),
            ``mean`` of the patches, ``cls_mean``: CLS and mean of the patches, one behind the other; by default the
            projection into the space that pictures and texts share where there is one, else the first of pooled, CLS
            and mean that the model has. Of texts: ``mean`` (the default), ``cls``, ``last``.
        max_length: of texts, in tokens, beyond which they are cut; by default the model's longest.
        normalise: unit vectors.
        half: float16 on a GPU.
        revision: branch, tag or commit on the hub.
        trust_remote_code: whether code that comes with the model may run.
        gpu: the CUDA device (modulo their number); where there is none the model runs on the CPU.

    Raises:
        ConfigError: a library or the model is not there, an option is not for this model.
    """

    kind: Kind

    def __init__(
        self,
        model: str,
        *,
        pool: Pool | None = None,
        max_length: Annotated[int, Field(gt=0)] | None = None,
        normalise: bool = True,
        half: bool = False,
        revision: str | None = None,
        trust_remote_code: bool = False,
        gpu: int | None = None,
    ) -> None:
        self.check(model, pool=pool, max_length=max_length, revision=revision, trust_remote_code=trust_remote_code)
        from equipoise.encoders.transformers_models import ModelSource

        encoder = _name_of(model)
        self.kind = self.kind_of(model, revision=revision)
        source = ModelSource(model_place(model, revision, encoder=encoder), revision, trust_remote_code, encoder)
        with loading(encoder):
            self._reader: ImageReader | TextReader
            if self.kind == "images":
                from equipoise.encoders import transformers_images as images

                self._reader = images.ImageReader(source, pool=pool, half=half, gpu=gpu)
            else:
                from equipoise.encoders import transformers_texts as texts

                self._reader = texts.TextReader(source, pool=pool, max_length=max_length, half=half, gpu=gpu)
        self._normalise = normalise

    @staticmethod
    def kind_of(model: str, *, revision: str | None = None, **options: object) -> Kind:
        """By its ``config.json``: of the folder, of what this machine has of the model, else asked of the hub.

        Raises:
            ConfigError: it is not to be had, or does not say.
        """
        encoder = _name_of(model)
        return kind_in(
            config_of(model_place(model, revision, encoder=encoder), revision, encoder=encoder), encoder=encoder
        )

    @staticmethod
    def check(
        model: str,
        *,
        pool: str | None = None,
        max_length: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool | None = None,
        **options: object,
    ) -> None:
        """Looks whether the model is to be had, and takes these options, without loading it.

        Raises:
            ConfigError: it is not, or does not.
        """
        encoder = _name_of(model)
        needs("transformers", extra="transformers", encoder=encoder)
        place = model_place(model, revision, encoder=encoder)
        config = config_of(place, revision, encoder=encoder)
        kind = kind_in(config, encoder=encoder)
        needs(*LIBRARIES[kind], extra="transformers", encoder=encoder)
        if pool not in (None, *POOLS[kind]):
            raise ConfigError(
                f"encoder {encoder}: pool is {pool!r}; of a model of {kind} it is one of {', '.join(POOLS[kind])}"
            )
        if max_length is not None and kind == "images":
            raise ConfigError(f"encoder {encoder}: max_length is of texts, and the model reads images: drop it")
        check_code(config, trusted=bool(trust_remote_code), encoder=encoder)
        check_files(place, revision, kind, encoder=encoder)

    @staticmethod
    def revision_of(model: str) -> str:
        """Of a folder a hash of its files; else the name on the hub, beside which the option ``revision`` stands.

        Raises:
            ConfigError: a folder that is not there, or cannot be read.
        """
        encoder = _name_of(model)
        place = model_place(model, None, encoder=encoder)
        return place if isinstance(place, str) else folder_hash(str(place), encoder=encoder, endings=READ)

    def decode(self, content: bytes) -> Any:
        """Of a picture what the model's processor makes of it, (3, height, width) float32; of a text the text."""
        return self._reader.decode(content)

    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """The model's vectors, (n, d) float32, of length one (or zero) where ``normalise`` says so."""
        vectors = self._reader.vectors(items)
        return unit_vectors(vectors) if self._normalise else vectors


def _name_of(model: str) -> str:
    return f"transformers:{model}"
