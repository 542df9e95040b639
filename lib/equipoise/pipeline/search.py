"""Which pairs of items are sought, how, and what that takes of a task's memory."""

from collections.abc import Callable
from dataclasses import dataclass

from equipoise.errors import ConfigError, InputError

MOST_BLOCKS = 8192
"""Of either side: the driver looks at all pairs of them."""
BLOCKS_IN_TASK = 32
"""At least so many blocks fit into a task, whatever the length of the vectors."""
GROUPS_IN_TASK = 5
"""A task holds two groups of blocks, each with half as much beside it, and what it was sent."""


@dataclass(frozen=True)
class Search:
    """Which pairs are sought, and how.

    Args:
        threshold: pairs with a cosine above it are sought; between -1 and 1.
        seed: of the samples that clusters and bounds are fitted on.
        exact_limit: up to so many items all pairs are found; of two sets, up to its square pairs of items.
        probes: above that, the neighbouring clusters that each cluster is held against.
        task_bytes: memory of a task, about, beside what Python takes.
        block_items: items of a block, about, as long as there are not too many of them.
        say: is told in words what was skipped.
    """

    threshold: float
    seed: int = 0
    exact_limit: int = 5_000_000
    probes: int = 16
    task_bytes: int = 256 * 2**20
    block_items: int = 512
    say: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        """Refuses what is no cosine."""
        if not -1 <= self.threshold <= 1:
            raise ConfigError(f"a threshold of {self.threshold} is no cosine: give one between -1 and 1")

    def is_exact(self, count: int, others: int) -> bool:
        """Whether all pairs of so many items are sought."""
        return count * others <= self.exact_limit**2

    def items_of_block(self, count: int, dim: int) -> int:
        """Items of a block, about, of so many vectors.

        Raises:
            InputError: blocks that a task can hold would be too many for the driver.
        """
        fitting, wanted = self.fitting_block(dim), max(self.block_items, -(-2 * count // MOST_BLOCKS))
        if fitting < wanted and -(-2 * count // fitting) > MOST_BLOCKS:
            needed = wanted * (4 * dim + 8) * BLOCKS_IN_TASK
            raise InputError(
                f"{count:,} vectors of {dim} numbers, in blocks that tasks of {self.task_bytes:,} bytes hold, are more "
                f"than {MOST_BLOCKS:,} blocks, which the driver cannot oversee: set task_bytes to {needed} or above, "
                "and give the executors' Python as much for each of its tasks"
            )
        return min(fitting, wanted)

    def most_of_block(self, count: int, dim: int) -> int:
        """Items above which a block is split."""
        return min(self.fitting_block(dim), 2 * self.items_of_block(count, dim))

    def fitting_block(self, dim: int) -> int:
        """Items of the largest block."""
        return max(1, self.task_bytes // BLOCKS_IN_TASK // (4 * dim + 8))

    def group_items(self, dim: int) -> int:
        """Items of a group of blocks."""
        return max(1, self.task_bytes // GROUPS_IN_TASK // (4 * dim + 8))

    @property
    def making_bytes(self) -> int:
        """Vectors that a task gets which makes blocks: it has them three times."""
        return self.task_bytes // 4
