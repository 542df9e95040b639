"""How many threads a worker has."""

import subprocess
import sys

import pytest

SCRIPT = """
from equipoise.kernels.threads import limit_worker_threads
limit_worker_threads(1)
import torch
limit_worker_threads(1)
print(torch.get_num_threads())
"""


def test_a_library_that_a_worker_loads_later_has_no_more_threads_than_the_task():
    pytest.importorskip("torch")
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["1"]
