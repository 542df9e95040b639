"""What the driver takes to find the first centroids of a level."""

import math

from equipoise.kernels.levels import Level
from equipoise.kernels.merging import MOST_NEIGHBOUR_FLOPS
from equipoise.kernels.plusplus import BYTES_PER_BLOCK
from equipoise.kernels.seeding import Seeding, is_small, sample_size
from equipoise.planning import machines as m
from equipoise.planning.machines import Machine


def seeding_bytes(n: int, k: int, dim: int, *, seeding: Seeding) -> int:
    """What the driver holds beside the sums of an iteration: what was sampled; candidates' sums and means as well."""
    is_merged = seeding != "random" and not is_small(n, seeding)
    return sample_size(n, k, seeding) * dim * (m.CANDIDATE_BYTES if is_merged else 4)


def seeding_seconds(n: int, level: Level, *, dim: int, seeding: Seeding, machine: Machine) -> float:
    """What comes beside the passes, once and before every round; the driver is taken for one with an executor's cores.

    Greedy k-means++ of few vectors; of many, neighbours of the candidates (of very many on the executors) and merging.
    Random vectors take no time.
    """
    inputs = [n, *[level.resampled(n)] * level.rounds]
    return sum(_once_seeded(one, level.k0, dim=dim, seeding=seeding, machine=machine) for one in inputs)


def _once_seeded(n: int, k: int, *, dim: int, seeding: Seeding, machine: Machine) -> float:
    if seeding == "random":
        return 0.0
    sampled = sample_size(n, k, seeding)
    if is_small(n, seeding):
        n_busy = min(math.ceil(4 * sampled * dim / BYTES_PER_BLOCK), machine.cores)
        return 2.0 * sampled * dim * k * (2 + int(math.log(k))) / (n_busy * m.SEEDING_GFLOPS * 1e9)
    flops = 2.0 * sampled**2 * dim
    n_cores = machine.total_cores if flops > MOST_NEIGHBOUR_FLOPS else machine.cores
    return flops / (n_cores * machine.gflops_per_core * 1e9) + sampled * m.MERGING_SECONDS
