"""The GPU of a task: what Spark gave it, else one that no other task of this machine works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import TaskContext

from equipoise.encoders.devices import held_device
from equipoise.kernels.backends import cuda_devices, device_of_task


@contextmanager
def gpu_of_task(tasks_per_gpu: int, *, n_devices: int | None = None) -> Iterator[int]:
    """The number of the CUDA device for the models of this process, held as long as the context lasts.

    Where Spark gives out GPUs it is the task's; else as many tasks as ``tasks_per_gpu`` work on one at a time, of all
    processes of this machine, and the others wait. Without GPUs nobody waits.

    Args:
        tasks_per_gpu: that work on one at a time.
        n_devices: how many the model's library could use; None: as torch counts them.
    """
    task = TaskContext.get()
    given = {name: list(resource.addresses) for name, resource in task.resources().items()} if task else {}
    if given.get("gpu"):
        yield device_of_task(given, 0, 0).index
        return
    n_usable = cuda_devices() if n_devices is None else n_devices
    with held_device(n_usable, tasks_per_gpu, first=task.partitionId() if task else 0) as device:
        yield device
