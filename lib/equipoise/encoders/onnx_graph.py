"""What an ONNX file takes and gives, and the session that runs it."""

import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.encoders.files import model_file
from equipoise.encoders.passes import last_line
from equipoise.errors import ConfigError, nearest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg

log = logging.getLogger("equipoise")
CUDA = "CUDAExecutionProvider"
_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(uint8)": np.dtype(np.uint8),
}
_NO_LOGS = 4
_DRIVER = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Graph:
    """What is read from a file.

    Attributes:
        input: name of the input that takes the pictures.
        dtype: of its numbers.
        is_channels_last: (n, height, width, 3); else (n, 3, height, width).
        side: in pixels, where the graph takes but one size.
        n_pictures: of a pass, where the graph takes but one number.
        outputs: their names, in the graph's order.
    """

    input: str
    dtype: np.dtype[Any]
    is_channels_last: bool
    side: int | None
    n_pictures: int | None
    outputs: tuple[str, ...]

    @property
    def takes_bytes(self) -> bool:
        """0 to 255 as they are, scaled by the graph."""
        return self.dtype == np.uint8

    def output(self, name: str | None, *, encoder: str) -> str:
        """This output, or the first.

        Raises:
            ConfigError: there is none of this name.
        """
        if name is None:
            return self.outputs[0]
        if name not in self.outputs:
            raise ConfigError(f"encoder {encoder}: the graph has no output {name!r}; {nearest(name, self.outputs)}")
        return name


def graph_of(session: "InferenceSession", *, encoder: str) -> Graph:
    """The graph of a session.

    Raises:
        ConfigError: it does not take pictures, or only such as are no squares.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or not _is_of_pictures(inputs[0]):
        takes = ", ".join(f"{given.name}, {given.type} of {_shape_text(given)}" for given in inputs) or "nothing"
        raise ConfigError(
            f"encoder {encoder}: the graph takes {takes}; it must take pictures alone, floats or bytes of "
            "(n, 3, height, width) or (n, height, width, 3). Models of texts: sentence-transformers: or transformers:"
        )
    (given,) = inputs
    shape = _shape(given)
    is_channels_last = shape[1] != 3 and shape[3] == 3
    height, width = shape[1:3] if is_channels_last else shape[2:4]
    if height != width:
        raise ConfigError(f"encoder {encoder}: the graph takes pictures of {height} x {width}; it must take squares")
    return Graph(
        given.name, _DTYPES[given.type], is_channels_last, height, shape[0], tuple(output.name for output in outputs)
    )


def session_of(
    path: str, *, encoder: str, gpu: int | None = None, n_threads: int | None = None, is_to_run: bool = True
) -> "InferenceSession":
    """A file, ready to run, or only to be looked at.

    Raises:
        ConfigError: it is not there, or cannot be loaded.
    """
    import onnxruntime

    file = model_file(path, encoder=encoder)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NO_LOGS  # what it raises says it, too
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads or 0, 1
    if not is_to_run:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = _providers(gpu) if is_to_run else ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # its errors have no common class
        raise ConfigError(f"encoder {encoder}: the file {file} cannot be loaded: {last_line(error)}") from error
    if len(providers) > 1 and CUDA not in session.get_providers():
        log.warning("encoder %s: ONNX Runtime cannot use the GPU, see its installation; it takes the CPU", encoder)
    return session


def data_files(path: str, *, encoder: str) -> tuple[Path, ...]:
    """The files beside it that hold the graph's numbers, where it does not itself.

    Raises:
        ConfigError: the file or one beside it is not there, or it is none of ONNX.
    """
    file = model_file(path, encoder=encoder)
    try:
        found = file.stat()
        names = _data_names(file, found.st_size, found.st_mtime_ns)
    except Exception as error:  # of protobuf, and of the system
        raise ConfigError(f"encoder {encoder}: the file {file} is no ONNX: {last_line(error)}") from error
    return tuple(model_file(str(file.parent / name), encoder=encoder) for name in names)


@cache
def _data_names(file: Path, size: int, changed_ns: int) -> list[str]:
    """Of a file in this state: asked for several times by every config."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(str(file), load_external_data=False).graph.initializer
    return sorted({ExternalDataInfo(tensor).location for tensor in tensors if uses_external_data(tensor)})


def _providers(gpu: int | None) -> list[Any]:
    cpu, n_devices = "CPUExecutionProvider", n_gpus()
    return [(CUDA, {"device_id": (gpu or 0) % n_devices}), cpu] if n_devices else [cpu]


def n_gpus() -> int:
    """Those that ONNX Runtime may use in this process, which it does not tell; 0 where it has no CUDA."""
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len(list(_DRIVER.iterdir())) if _DRIVER.is_dir() else 0


def _is_of_pictures(given: "NodeArg") -> bool:
    shape = _shape(given)
    return given.type in _DTYPES and len(shape) == 4 and (shape[1] in (3, None) or shape[3] == 3)


def _shape(given: "NodeArg") -> list[int | None]:
    """Sides; None where any is taken."""
    return [side if isinstance(side, int) and side > 0 else None for side in given.shape]


def _shape_text(given: "NodeArg") -> str:
    return f"({', '.join(str(side) for side in given.shape)})"
