"""How many threads a worker has."""

import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from equipoise.kernels.threads import ahead

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


class Watched:
    """Counts what was begun, and what had been taken by then."""

    def __init__(self, weights):
        self.weights, self.taken, self.most_waiting, self.heaviest = weights, 0, 0, 0

    def items(self):
        for place, _ in enumerate(self.weights):
            yield place
            waiting = self.weights[self.taken : place + 1]
            self.most_waiting = max(self.most_waiting, len(waiting))
            self.heaviest = max(self.heaviest, sum(waiting) if len(waiting) > 1 else 0)

    def results(self, function=str, n_items=4, most=10):
        with ThreadPoolExecutor(3) as threads:
            for result in ahead(
                threads, function, self.items(), n_items=n_items, weight=self.weights.__getitem__, most=most
            ):
                self.taken += 1
                yield result


def test_results_come_in_order_and_no_more_are_begun_than_allowed():
    light, heavy = Watched([1] * 20), Watched([9, 2, 30, 1, 1, 1, 1, 1, 5, 5, 5])
    assert [*light.results()] == [str(place) for place in range(20)]
    assert (light.most_waiting, light.heaviest) == (4, 4)
    assert [*heavy.results()] == [str(place) for place in range(11)]
    assert heavy.most_waiting == 4 and heavy.heaviest <= 10


class AtOnce(Executor):
    """Makes every result when it is asked for it."""

    def submit(self, function, item):
        done = Future()
        done.set_result(function(item))
        return done


def test_results_that_grow_weigh_what_they_became():
    own = Watched([1] * 40)
    weighed = {"weight": own.weights.__getitem__, "grown": int.bit_length, "most": 30}
    for result in ahead(AtOnce(), lambda place: 1 << 9, own.items(), n_items=100, **weighed):
        assert result == 1 << 9
        own.taken += 1
    assert own.taken == 40 and own.most_waiting == 3, "of ten each"


def test_what_comes_next_is_made_while_the_caller_is_busy_with_what_it_has():
    made = [threading.Event() for _ in range(5)]
    results = Watched([1] * 5).results(lambda place: made[place].set())
    next(results)
    assert all(made[place].wait(timeout=10) for place in range(1, 4))  # nobody asks for them yet
    assert len([*results]) == 4


def test_what_an_item_raises_is_raised_in_its_turn():
    results = Watched([1] * 5).results(lambda place: 1 // (place - 2))
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
