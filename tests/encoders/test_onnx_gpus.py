"""``onnx:FILE`` on GPUs, as far as that can be told without one."""

import logging
from contextlib import contextmanager

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from equipoise.encoders import load_encoder, n_gpus, onnx_graph
from equipoise.pipeline import gpus
from onnx_files import means


@pytest.mark.parametrize(
    "visible, gpu, expected", [("0,1", 3, 1), ("0,1", None, 0), ("", 0, None), ("-1", 0, None), ("GPU-a", 5, 0)]
)
def test_a_gpu_is_taken_where_the_runtime_has_cuda(monkeypatch, visible, gpu, expected):
    import onnxruntime

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    cpu = "CPUExecutionProvider"
    assert onnx_graph._providers(gpu) == [cpu] or onnx_graph.CUDA in onnxruntime.get_available_providers()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [onnx_graph.CUDA, cpu])
    wanted = [] if expected is None else [(onnx_graph.CUDA, {"device_id": expected})]
    assert onnx_graph._providers(gpu) == [*wanted, cpu]
    assert n_gpus("onnx:a.onnx") == len([one for one in visible.split(",") if one not in ("", "-1")])


def test_tasks_wait_for_gpus_only_where_the_runtime_can_use_them(monkeypatch):
    """On a machine whose GPUs torch sees, a runtime without CUDA works on the CPU, in all tasks at once."""
    import onnxruntime

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(gpus, "cuda_devices", lambda: 1)
    held = []

    @contextmanager
    def holding(n_devices, tasks_per_device, *, first):
        held.append(n_devices)
        yield 0

    monkeypatch.setattr(gpus, "held_device", holding)
    for providers in (["CPUExecutionProvider"], [onnx_graph.CUDA]):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda found=providers: found)
        with gpus.gpu_of_task(1, n_devices=n_gpus("onnx:a.onnx")):
            pass
    with gpus.gpu_of_task(1, n_devices=n_gpus("torchscript:a.pt")):
        pass
    assert held == [0, 1, 1]


def test_a_gpu_that_cannot_be_used_is_told_of(tmp_path, monkeypatch, caplog):
    """Here its build has no CUDA, whatever is said of it."""
    import onnxruntime

    if onnx_graph.CUDA in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA")
    name = means(tmp_path / "means.onnx")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [onnx_graph.CUDA, "CPUExecutionProvider"])
    with caplog.at_level(logging.WARNING, "equipoise"):
        load_encoder(name, size=4)
    assert f"encoder {name}: ONNX Runtime cannot use the GPU" in caplog.text
