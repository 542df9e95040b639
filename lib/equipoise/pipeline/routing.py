"""Which task each coarse cluster goes to, and how many of its members."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.draws import draw_up_to
from equipoise.kernels.splitting import tasks_of
from equipoise.kernels.vectors import Ids


@dataclass(frozen=True)
class Routing:
    """Which task each coarse cluster goes to, and up to which draw its members go there: all (k0,) int64."""

    tasks: Ids
    limits: Ids
    is_sampled: NDArray[np.bool_]

    @property
    def n_tasks(self) -> int:
        """Tasks that have anything to do."""
        return int(self.tasks.max()) + 1


def routing(sizes: Ids, *, most: int, n_tasks: int) -> Routing:
    """Fills tasks by size; of a cluster above ``most`` members about that many are drawn, and never more are kept.

    Args:
        sizes: (k0,) members of every coarse cluster.
        most: members that a task may hold.
        n_tasks: tasks to fill at least.
    """
    is_sampled = sizes > most
    drawn = max(1.0, most - 6 * most**0.5)  # six standard deviations: never more than `most` in practice
    shares = np.where(is_sampled, drawn / np.maximum(sizes, 1), 1.0)
    limits = np.array([draw_up_to(share) for share in shares], dtype=np.int64)
    return Routing(tasks_of(np.minimum(sizes, most), most=most, n_tasks=n_tasks), limits, is_sampled)
