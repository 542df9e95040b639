"""Images by any ONNX file, run by ONNX Runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.encoders.base import needs
from equipoise.encoders.files import file_hash
from equipoise.encoders.image_encoder import ImageEncoder, stated
from equipoise.encoders.image_models import PASS, ImageModel
from equipoise.encoders.onnx_graph import CUDA, Graph, data_files, graph_of, n_gpus, session_of
from equipoise.encoders.preparing import IMAGENET_MEAN, IMAGENET_STD, Preparation
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Scale = Literal[1, 255]
Order = Literal["RGB", "BGR"]


class OnnxEncoder(ImageEncoder):
    """A graph with one input of pictures, (n, 3, height, width) or (n, height, width, 3), and vectors (n, d).

    Layout, kind of numbers and, where it is fixed, size of the pictures are read from the graph; by default they are
    skewed to it. It runs on a GPU where the ONNX Runtime that is installed has CUDA, else on the CPU.

    Args:
        path: the file.
        scale: what white is: 1, or 255 as Caffe has it; by default 1, and 255 where the graph takes bytes.
        channels: the order in which the graph takes them; ``mean`` and ``std`` are in this order and of this scale,
            ImageNet's by default.
        output: the name of one of the graph's outputs; by default the first.
        n_threads: of the CPU; None: as many as ONNX Runtime likes.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`; ``half`` is the file's own matter.

    Raises:
        ConfigError: a library or the file is not there, the file is none of ONNX or takes no pictures, an option is
            out of range or not for this graph.
    """

    family = "onnx"

    def __init__(
        self,
        path: str,
        *,
        scale: Scale | None = None,
        channels: Order = "RGB",
        output: str | None = None,
        n_threads: int | None = None,
        gpu: int | None = None,
        **shared: Any,
    ) -> None:
        encoder = self.name_of(path)
        _check_libraries(encoder)
        self._session = session_of(path, encoder=encoder, gpu=gpu, n_threads=n_threads)
        self._intake = Intake(graph_of(self._session, encoder=encoder), scale, channels)
        self._output = self._intake.graph.output(output, encoder=encoder)
        self._fitted(path, self._intake, shared)
        super().__init__(path, gpu=gpu, **shared)

    @classmethod
    def check(
        cls,
        path: str,
        *,
        scale: Scale | None = None,
        channels: Order | None = None,
        output: str | None = None,
        **options: Any,
    ) -> None:
        """Looks whether the model is to be had, takes pictures, and these options.

        Raises:
            ConfigError: it is not, or does not.
        """
        encoder = cls.name_of(path)
        _check_libraries(encoder)
        data_files(path, encoder=encoder)
        intake = Intake(graph_of(session_of(path, encoder=encoder, is_to_run=False), encoder=encoder), scale, channels)
        intake.graph.output(output, encoder=encoder)
        cls._fitted(path, intake, options)

    @classmethod
    def revision_of(cls, path: str) -> str:
        """The SHA-256 of the file, and of those beside it that hold its numbers: they alone say which model this is.

        Raises:
            ConfigError: there is no such file, it cannot be read, or it is none of ONNX.
        """
        encoder = cls.name_of(path)
        _check_libraries(encoder)
        files = [path, *map(str, data_files(path, encoder=encoder))]
        return "-".join(file_hash(file, encoder=encoder) for file in files)

    @classmethod
    def _fitted(cls, path: str, intake: "Intake", options: Mapping[str, Any]) -> None:
        """Looks whether pictures that are prepared as these options have it are what the graph takes.

        Raises:
            ConfigError: they are not.
        """
        encoder, given = cls.name_of(path), {**intake.own_preparation, **stated(options)}
        if given.pop("half", False):
            raise ConfigError(f"encoder {encoder}: half is for the file itself to say; drop it, or convert the file")
        if "size" not in given:
            raise ConfigError(f"encoder {encoder}: the graph takes pictures of any size: set size")
        intake.check(cls.prepared(path, given), encoder=encoder)

    @staticmethod
    def n_gpus() -> int:
        """Those that the ONNX Runtime that is installed could use: none unless it was built for CUDA."""
        return n_gpus() if find_spec("onnxruntime") else 0

    def own_preparation(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The graph's size, and ImageNet's mean and deviations as the graph takes numbers."""
        return self._intake.own_preparation

    def image_model(self, *, gpu: int | None, half: bool) -> ImageModel:
        """The session, which is given numbers as the graph takes them."""
        place = "cuda" if CUDA in self._session.get_providers() else "cpu"
        return ImageModel(
            _runner(self._session, self._intake, self.preparation, self._output),
            encoder=self.encoder,
            place=place,
            n_at_once=self._intake.graph.n_pictures or PASS[place],
            side=self.preparation.side,
        )


@dataclass(frozen=True)
class Intake:
    """What a graph takes of a picture, where the file does not say it.

    Attributes:
        graph: what the file says.
        scale_given: what white is; None: 1, or 255 of a graph that takes bytes.
        channels: their order.
    """

    graph: Graph
    scale_given: Scale | None
    channels: Order | None

    @property
    def scale(self) -> Scale:
        """What white is."""
        return self.scale_given or (255 if self.graph.takes_bytes else 1)

    @property
    def own_preparation(self) -> dict[str, Any]:
        """Where the config says nothing; without a size where the graph takes any."""
        size = {} if self.graph.side is None else {"size": self.graph.side}
        if self.graph.takes_bytes:
            return {**size, "mean": (0, 0, 0), "std": (1, 1, 1)}
        mean, std = (self._ordered(np.multiply(self.scale, values)) for values in (IMAGENET_MEAN, IMAGENET_STD))
        return {**size, "mean": tuple(mean.tolist()), "std": tuple(std.tolist())}

    def check(self, preparation: Preparation, *, encoder: str) -> None:
        """Looks whether pictures that are prepared like this are what the graph takes.

        Raises:
            ConfigError: they are not.
        """
        bytes_alone = (preparation.mean, preparation.std, self.scale) == ((0, 0, 0), (1, 1, 1), 255)
        if self.graph.takes_bytes and not bytes_alone:
            raise ConfigError(
                f"encoder {encoder}: the graph takes bytes, and scales them itself: drop scale, mean and std"
            )
        wanted = self.graph.side
        given = preparation.crop or (preparation.size if preparation.resize == "square" else None)
        if wanted not in (None, given):
            raise ConfigError(
                f"encoder {encoder}: the graph takes pictures of {wanted} x {wanted} pixels: set crop: {wanted}, or "
                f"leave out size, resize and crop"
            )

    def numbers(self, pictures: NDArray[np.uint8 | np.float32], preparation: Preparation) -> NDArray[Any]:
        """Of pictures (n, height, width, 3), white being 255."""
        ordered = self._ordered(pictures)
        if self.graph.takes_bytes:
            ordered = np.rint(ordered).clip(0, 255)  # of arrays they are floats, and bicubic ones beyond
        else:
            mean, std = np.asarray([preparation.mean, preparation.std], np.float32)
            ordered = (ordered.astype(np.float32) / np.float32(255 / self.scale) - mean) / std
        laid_out = ordered if self.graph.is_channels_last else ordered.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(laid_out, dtype=self.graph.dtype)

    def _ordered(self, channels: NDArray[Any]) -> NDArray[Any]:
        return channels[..., ::-1] if self.channels == "BGR" else channels


def _check_libraries(encoder: str) -> None:
    needs("onnxruntime", "onnx", extra="onnx", encoder=encoder)


def _runner(
    session: "InferenceSession", intake: Intake, preparation: Preparation, output: str
) -> Callable[[NDArray[np.uint8]], object]:
    graph = intake.graph

    def run(pictures: NDArray[np.uint8]) -> object:
        n = len(pictures)
        if graph.n_pictures is not None and n < graph.n_pictures:
            pictures = np.concatenate([pictures, np.repeat(pictures[-1:], graph.n_pictures - n, axis=0)])
        found: object = session.run([output], {graph.input: intake.numbers(pictures, preparation)})[0]
        if not isinstance(found, np.ndarray) or found.ndim < 2:
            return found
        is_flat = all(side == 1 for side in found.shape[2:])  # what pooling leaves of height and width
        return found[:n].reshape(n, found.shape[1]) if is_flat else found[:n]

    return run
