"""Levels of the config as the kernels know them."""

from equipoise.kernels import levels as kernels
from equipoise.stages.cluster.section import Level


def as_level(level: Level) -> kernels.Level:
    """A level of the config as the kernels know it."""
    if level.resampling is None:
        return kernels.Level(level.k, splits=level.splits)
    return kernels.Level(level.k, rounds=level.resampling.rounds, points=level.resampling.points)
