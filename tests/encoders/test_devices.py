"""Which GPU a task works on; the devices are made up, the locks are real."""

import subprocess
import sys
import threading
import time

import pytest

from equipoise.encoders import devices

HOLD = """
import sys
from equipoise.encoders.devices import held_device
n_devices, tasks_per_device, first = map(int, sys.argv[1:])
with held_device(n_devices, tasks_per_device, first=first) as device:
    print(device, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine on which nobody works."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(devices.tempfile, "tempdir", None)
    monkeypatch.setattr(devices, "_own", [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


@pytest.fixture
def another():
    """Starts a process that takes a device, and has it until its input ends."""
    started = []

    def start(*arguments):
        one = subprocess.Popen(
            [sys.executable, "-c", HOLD, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()


def device(process):
    return int(process.stdout.readline())


def test_two_processes_take_two_devices_and_a_third_waits_until_one_is_given_back(another):
    first = another(2, 1, 0)
    assert device(first) == 0
    second = another(2, 1, 2)  # its turn would be the first one's device
    assert device(second) == 1
    third = another(2, 1, 0)
    answer = []
    reader = threading.Thread(target=lambda: answer.append(device(third)))
    reader.start()
    reader.join(timeout=1.5)
    assert not answer
    second.kill()  # whatever ends a process gives its device back
    reader.join(timeout=20)
    assert answer == [1]


def test_more_tasks_a_device_where_that_is_said(another):
    assert [device(another(1, 2, 0)) for _ in range(2)] == [0, 0]


def test_a_process_that_has_its_models_on_a_device_stays_there(another):
    with devices.held_device(2, 1, first=1) as own:
        assert own == 1
    with devices.held_device(2, 1, first=0) as own:
        assert own == 1
    holder = another(2, 1, 1)
    assert device(holder) == 1
    threading.Timer(0.5, holder.kill).start()
    start = time.monotonic()
    with devices.held_device(2, 1, first=0) as own:
        assert own == 1 and time.monotonic() - start > 0.3


def test_a_device_is_known_by_its_own_name(monkeypatch, another):
    """Two jobs that see other devices under the same number do not wait for each other."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert device(another(1, 1, 0)) == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    with devices.held_device(1, 1, first=0) as own:
        assert own == 0


def test_without_devices_nobody_waits(machine, another):
    assert [device(another(0, 1, 5)) for _ in range(2)] == [0, 0]
    assert not [*machine.glob("equipoise-gpu-*")]
