"""Levels of the config as the kernels know them."""

from equipoise import config as settings
from equipoise.kernels.levels import Level


def as_level(level: settings.Level) -> Level:
    """A level of the config as the kernels know it."""
    if level.resampling is None:
        return Level(level.k, splits=level.splits)
    return Level(level.k, rounds=level.resampling.rounds, points=level.resampling.points)
