"""Where and with what an assignment is computed: numpy on the CPU, torch on CUDA, or faiss, behind one interface.

Torch and faiss are imported when they are chosen, not before: neither is required, and torch takes seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from equipoise import errors
from equipoise.errors import ConfigError
from equipoise.kernels import nearest as numpy_nearest
from equipoise.kernels import statistics
from equipoise.kernels.nearest import Floats
from equipoise.kernels.statistics import PartialStats, combined

Backend = Literal["numpy", "torch", "faiss"]
BackendChoice = Literal["auto", "numpy", "torch", "faiss"]
Ids = NDArray[np.int64]

NVIDIA_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvgpu")
"""One of these exists where CUDA can work: Linux, Windows' Linux, and the integrated ones."""


@dataclass(frozen=True)
class Device:
    """What a task computes on: the CPU, or the CUDA device with this index."""

    kind: Literal["cpu", "cuda"] = "cpu"
    index: int = 0

    def __str__(self) -> str:
        """As torch writes it."""
        return self.kind if self.kind == "cpu" else f"cuda:{self.index}"


CPU = Device()


class Kernel(Protocol):
    """One way to assign vectors to their nearest centroid. Ties go to the lowest index, in all.

    ``prepared`` is what ``prepare`` of the same kernel returned, and ``vectors`` (n, d) float32 or float16.
    """

    @property
    def backend(self) -> Backend:
        """Its name."""

    @property
    def device(self) -> Device:
        """Where it computes."""

    def prepare(self, centroids: Floats) -> Any:
        """Centroids (k, d) float32 as the kernel wants them, with ``k`` and ``dim``: once for many blocks."""

    def resident(self, vectors: NDArray[np.floating[Any]]) -> Any:
        """The vectors where the kernel computes, in a form that its other methods take: for many assignments."""

    def nearest(self, vectors: Any, prepared: Any) -> tuple[Ids, Floats]:
        """Labels (n,) int64 and squared distances (n,) float32."""

    def block_stats(self, vectors: Any, prepared: Any) -> PartialStats:
        """Sums, counts and costs of the clusters that the vectors belong to."""

    def stats(self, blocks: Iterable[Any], prepared: Any) -> PartialStats:
        """The same for all blocks of a partition, added up in their order."""


@dataclass(frozen=True)
class NumpyKernel:
    """BLAS on the CPU: the default there. Methods as in :class:`Kernel`."""

    backend: Backend = "numpy"
    device: Device = CPU

    def prepare(self, centroids: Floats) -> Any:
        return numpy_nearest.prepare(centroids)

    def resident(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return vectors

    def nearest(self, vectors: Any, prepared: Any) -> tuple[Ids, Floats]:
        return numpy_nearest.nearest(vectors, prepared)

    def block_stats(self, vectors: Any, prepared: Any) -> PartialStats:
        return statistics.block_stats(vectors, prepared)

    def stats(self, blocks: Iterable[Any], prepared: Any) -> PartialStats:
        return combined((self.block_stats(block, prepared) for block in blocks), dim=prepared.dim)


@dataclass(frozen=True)
class FaissKernel:
    """faiss, whichever build is installed. Methods as in :class:`Kernel`."""

    device: Device = CPU
    backend: Backend = "faiss"

    def prepare(self, centroids: Floats) -> Any:
        from equipoise.kernels import faiss_nearest

        return faiss_nearest.prepare(centroids, self.device.index if self.device.kind == "cuda" else None)

    def resident(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return vectors

    def nearest(self, vectors: Any, prepared: Any) -> tuple[Ids, Floats]:
        from equipoise.kernels import faiss_nearest

        return faiss_nearest.nearest(vectors, prepared)

    def block_stats(self, vectors: Any, prepared: Any) -> PartialStats:
        labels, distances_sq = self.nearest(vectors, prepared)
        order = np.argsort(labels, kind="stable")
        touched, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        sums = np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)
        costs = np.add.reduceat(distances_sq[order].astype(np.float64), starts)
        return PartialStats(touched, sums, counts, costs)

    def stats(self, blocks: Iterable[Any], prepared: Any) -> PartialStats:
        return combined((self.block_stats(block, prepared) for block in blocks), dim=prepared.dim)


@dataclass(frozen=True)
class TorchKernel:
    """Torch: the default on CUDA; sums are made where labels are, on the device. Methods as in :class:`Kernel`."""

    device: Device = CPU
    allow_tf32: bool = False
    backend: Backend = "torch"

    def prepare(self, centroids: Floats) -> Any:
        from equipoise.kernels import torch_nearest

        return torch_nearest.prepare(centroids, str(self.device), allow_tf32=self.allow_tf32)

    def resident(self, vectors: NDArray[np.floating[Any]]) -> Any:
        from equipoise.kernels import torch_tensors

        return torch_tensors.resident(vectors, str(self.device))

    def nearest(self, vectors: Any, prepared: Any) -> tuple[Ids, Floats]:
        from equipoise.kernels import torch_nearest

        return torch_nearest.nearest(vectors, prepared)

    def block_stats(self, vectors: Any, prepared: Any) -> PartialStats:
        return self.stats([vectors], prepared)

    def stats(self, blocks: Iterable[Any], prepared: Any) -> PartialStats:
        from equipoise.kernels import torch_nearest

        return PartialStats(*torch_nearest.stats(blocks, prepared))


def device_of_task(resources: Mapping[str, Sequence[str]], partition_id: int, n_devices: int) -> Device:
    """The device that a Spark task computes on.

    Args:
        resources: addresses by resource name: ``{name: r.addresses for name, r in context.resources().items()}``.
        partition_id: of the task; spreads tasks over devices where Spark does not.
        n_devices: CUDA devices that tasks may use without being given one: :func:`cuda_devices` in local mode, 0 on
            a cluster.

    Returns:
        The first GPU that Spark gave the task; else one by the partition's number; else the CPU.

    Raises:
        ConfigError: Spark names the GPU by something that is no device number.
    """
    addresses = resources.get("gpu", ())
    if addresses:
        if not addresses[0].isdecimal():
            raise ConfigError(
                f"the task's GPU has the address {addresses[0]!r}, which is no device number: let the script of "
                "spark.executor.resource.gpu.discoveryScript print indices (nvidia-smi --query-gpu=index)"
            )
        return Device("cuda", int(addresses[0]))
    return Device("cuda", partition_id % n_devices) if n_devices else CPU


def choose(backend: BackendChoice = "auto", device: Device = CPU, *, allow_tf32: bool = False) -> Kernel:
    """The kernel to use.

    Args:
        backend: ``auto`` takes torch on a CUDA device, faiss where only that can use it, and numpy for the rest.
        device: what the task was given, see :func:`device_of_task`. Numpy, and faiss in a build without GPUs,
            compute on the CPU whatever it is.
        allow_tf32: for torch alone: faster and less exact products.

    Raises:
        ConfigError: the backend is unknown or not installed, or it does not see the device.
    """
    if backend not in get_args(BackendChoice):
        known = errors.nearest(backend, get_args(BackendChoice))
        raise ConfigError(f"backend: {backend!r} is none of the assignment kernels; {known}")
    if backend == "auto":
        backend = _best_for(device)
    if backend == "numpy":
        return NumpyKernel()
    if find_spec(backend) is None:
        extra = "torch" if backend == "torch" else "cpu"
        raise ConfigError(f"backend: {backend} is not installed: pip install 'equipoise[{extra}]', or backend: auto")
    if device.kind == "cpu" or (backend == "faiss" and not _devices_of("faiss")):
        return TorchKernel(CPU, allow_tf32) if backend == "torch" else FaissKernel()
    seen = _devices_of(backend)
    if device.index >= seen:
        raise ConfigError(
            f"backend: {backend} sees {seen} CUDA devices here, and the task was given number {device.index}: "
            "install a CUDA build and check CUDA_VISIBLE_DEVICES, or set backend: numpy"
        )
    return TorchKernel(device, allow_tf32) if backend == "torch" else FaissKernel(device)


def driver_kernel(backend: BackendChoice = "auto") -> Kernel:
    """The kernel of a process that is no Spark task: on its first GPU where it has one."""
    return choose(backend, Device("cuda") if cuda_devices() else CPU)


def cuda_devices() -> int:
    """How many CUDA devices torch sees; 0 without torch, and without loading it where there is no NVIDIA driver."""
    return _devices_of("torch") if any(Path(driver).exists() for driver in NVIDIA_DRIVERS) else 0


def _best_for(device: Device) -> Backend:
    candidates: tuple[Backend, ...] = ("torch", "faiss") if device.kind == "cuda" else ()
    return next((candidate for candidate in candidates if _devices_of(candidate) > device.index), "numpy")


def _devices_of(backend: Backend) -> int:
    if find_spec(backend) is None:
        return 0
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    from equipoise.kernels import faiss_nearest

    return faiss_nearest.n_gpus()
