import os
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.errors import ConfigError
from equipoise.kernels import backends
from equipoise.kernels.backends import CPU, Device, FaissKernel, NumpyKernel, TorchKernel, choose, device_of_task

torch = pytest.importorskip("torch")
pytest.importorskip("faiss")

ROOT = Path(__file__).parents[2]
GPU = Device("cuda", 0)


@pytest.mark.parametrize(
    ("resources", "partition_id", "n_devices", "expected"),
    [
        ({"gpu": ["3"]}, 5, 0, Device("cuda", 3)),
        ({"gpu": ["1", "2"]}, 5, 4, Device("cuda", 1)),
        ({}, 5, 4, Device("cuda", 1)),
        ({"gpu": []}, 8, 3, Device("cuda", 2)),
        ({"fpga": ["1"]}, 5, 0, CPU),
    ],
)
def test_a_task_computes_where_its_resources_or_its_partition_say(resources, partition_id, n_devices, expected):
    assert device_of_task(resources, partition_id, n_devices) == expected


def test_an_address_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match=r"'GPU-5ad1'.*discoveryScript"):
        device_of_task({"gpu": ["GPU-5ad1"]}, 0, 0)


@pytest.fixture
def devices(monkeypatch):
    """Sets how many devices each backend claims to see."""
    seen = {}
    monkeypatch.setattr(backends, "_devices_of", lambda backend: seen.get(backend, 0))
    return seen


def test_auto_takes_what_the_device_asks_for(devices):
    devices.update(torch=1, faiss=2)
    assert choose("auto", CPU) == NumpyKernel()
    assert choose("auto", GPU) == TorchKernel(GPU)
    assert choose("auto", Device("cuda", 1)) == FaissKernel(Device("cuda", 1))
    assert choose("auto", Device("cuda", 2)) == NumpyKernel()


def test_a_named_backend_is_taken_on_the_device_or_refused(devices):
    assert choose("torch", allow_tf32=True) == TorchKernel(CPU, allow_tf32=True)
    assert choose("numpy", GPU) == NumpyKernel()
    assert choose("faiss", GPU) == FaissKernel(CPU)
    devices.update(torch=1, faiss=1)
    assert choose("faiss", GPU) == FaissKernel(GPU)
    with pytest.raises(ConfigError, match=r"torch sees 1 CUDA devices here.*number 1"):
        choose("torch", Device("cuda", 1))


def test_an_unknown_or_missing_backend_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"'touch'.*did you mean 'torch'"):
        choose("touch")
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"torch is not installed: pip install 'equipoise\[torch\]'"):
        choose("torch")
    assert backends.cuda_devices() == 0
    assert choose("auto", GPU) == NumpyKernel()


BARE = """
import runpy, sys
for name in ("pyspark", "py4j", "delta", "pandas", "pyarrow", "scipy", "sklearn", "faiss", "rich", "threadpoolctl"):
    sys.modules[name] = None
sys.argv = ["bench_gpu.py", *{arguments!r}]
runpy.run_path({path!r}, run_name="__main__")
"""


def bench(*arguments):
    """Runs the benchmark where there is nothing but the standard library, numpy and torch."""
    code = BARE.format(arguments=arguments, path=str(ROOT / "tests" / "benchmarks" / "bench_gpu.py"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_the_benchmark_needs_torch_alone(tmp_path):
    sizes = ["--n", "600", "--dim", "8", "--k", "20", "--rounds", "1"]
    done = bench("--device", "cpu", *sizes, "--json", str(tmp_path / "out" / "gpu.json"))
    assert done.returncode == 0, done.stderr
    assert "plain product" in done.stdout and "block_stats" in done.stdout
    assert '"ratio"' in (tmp_path / "out" / "gpu.json").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there, and the benchmark would use it")
def test_the_benchmark_says_that_there_is_no_gpu():
    done = bench()
    assert done.returncode == 2
    assert "no GPU" in done.stderr and "--device cpu" in done.stderr
