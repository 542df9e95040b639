"""The arguments of ``equipoise plan``; apart from what uses them, so that ``--help`` imports nothing heavy."""

import argparse
import math


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """The config, the pool and the machine."""
    add = parser.add_argument
    add("--config", metavar="FILE", help="a YAML file; examples are in conf/")
    add("--items", type=positive, metavar="N", help="of the pool (default: read from a source that is a .npy file)")
    add("--dim", type=positive, metavar="D", help="numbers of a vector (default: likewise)")
    add("--suggest", action="store_true", help="propose the levels; needs no config")
    add("--target", type=positive, metavar="N", help="items to select, for --suggest (default: the config's largest)")
    _add_machine_arguments(parser)


def _add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "machine",
        "Without --executors, and without spark.executor.instances in the config: this one, at the rate that it has "
        "now. The config's spark.executor.* and spark.driver.* count where no flag is given.",
    ).add_argument
    add("--executors", type=positive, metavar="N", help="plan for a cluster of so many")
    add("--cores", type=positive, metavar="N", help="of an executor (default: 8)")
    add("--memory", metavar="SIZE", help="of an executor, JVM and Python together (default: 56g)")
    add("--driver-memory", metavar="SIZE", help="of the driver, JVM and Python together (default: 64g)")
    add("--gpus", type=positive, metavar="N", help="of an executor (default: none)")
    add("--gpu-memory", metavar="SIZE", help="of a GPU (default: 40g)")
    add("--tflops", type=_rate, metavar="X", help="of a GPU at this work (default: 10)")
    add("--gflops-per-core", type=_rate, metavar="X", help="at this work (default: 40)")
    add("--network-gbit", type=_rate, default=10.0, metavar="X", help="of an executor, a second (default: 10)")
    add("--disk-mb", type=_rate, default=500.0, metavar="X", help="of an executor, a second (default: 500)")


def positive(text: str) -> int:
    """A whole number above 0; ``743_000_000`` is one."""
    return _from_one_to(text, 2**62)


def row_count(text: str) -> int:
    """How many rows one prints: Spark takes no more at once."""
    return _from_one_to(text, 2**31 - 2)


def _from_one_to(text: str, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {most:,}")
    return number


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number
