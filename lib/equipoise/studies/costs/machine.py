"""The machine that a plan is made for: flags before the config's Spark settings before what is usual."""

import argparse
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.config.spark_keys import SIZE
from equipoise.errors import ConfigError
from equipoise.planning.machines import GFLOPS_PER_CORE, GIB, HEAP_SHARE, TFLOPS_PER_GPU, Machine

CLUSTER = {"cores": "8", "memory": "56g", "driver_memory": "64g", "max_result": "8g", "gpu_memory": "40g"}
"""The executors of conf/spark/cluster.conf, whose other half is Python's, and its limits; the driver's likewise."""
LOCAL = {"heap": "6g", "max_result": "2g"}
"""As session/defaults.py sets them, which imports Spark; a test keeps the two alike."""
USUAL = "usual"
LEAST_OVERHEAD = 0.1
"""What Spark allows beside the heap where nobody says otherwise, a part of it."""
_RESULTS = "spark.driver.maxResultSize"
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


@dataclass(frozen=True)
class _Given:
    """A value, and where it is from."""

    value: Any
    origin: str


def machine_of(options: argparse.Namespace, spark: Mapping[str, str]) -> Machine:
    """The machine that the flags describe, and the config where they say nothing.

    Args:
        options: the flags of ``equipoise plan``.
        spark: the config's Spark settings.

    Raises:
        ConfigError: a size is none.
    """
    given = _given(options, spark)
    is_local = "executors" not in given
    found = {name: one.value for name, one in given.items()}
    result_limit = found["max_result"]
    return Machine(
        executors=found.get("executors", 1),
        cores=found["cores"],
        memory_bytes=found["memory"],
        heap_bytes=found["heap"],
        driver_memory_bytes=found["driver memory"],
        gpus=options.gpus or 0,
        gpu_memory_bytes=as_bytes(options.gpu_memory or CLUSTER["gpu_memory"], "--gpu-memory"),
        gflops_per_core=options.gflops_per_core or GFLOPS_PER_CORE,
        tflops_per_gpu=options.tflops or TFLOPS_PER_GPU,
        network_bytes_per_second=math.inf if is_local else options.network_gbit * 1e9 / 8,
        disk_bytes_per_second=options.disk_mb * 1e6,
        max_result_bytes=math.inf if result_limit == 0 else result_limit,
    )


def origins_of(options: argparse.Namespace, spark: Mapping[str, str]) -> dict[str, str]:
    """Which flag or setting each size of the machine comes from."""
    names = {"max_result": "results on the driver", "heap": "JVM"}
    return {names.get(name, name): one.origin for name, one in _given(options, spark).items()}


def as_bytes(size: str, name: str, *, unit: str = "") -> float:
    """A size as Spark writes them, ``64g`` for 64 GiB, in bytes; ``unit`` is that of a number alone.

    Raises:
        ConfigError: it is none.
    """
    match = SIZE.fullmatch(size.strip())
    if not match or (float(match[1]) == 0 and name != _RESULTS):
        raise ConfigError(f"{name} {size}: not a size; write a number and a unit, such as 512m, 64g or 1t")
    return float(match[1]) * _UNITS[(match[2] or unit).lower()]


def _given(options: argparse.Namespace, spark: Mapping[str, str]) -> dict[str, _Given]:
    """All sizes of the machine: flags before the config's settings before what is usual."""
    n_executors = _first(
        ("--executors", options.executors),
        ("spark.executor.instances", None if _is_local(spark) else spark.get("spark.executor.instances")),
    )
    usual = LOCAL if n_executors is None else CLUSTER
    result = spark.get(_RESULTS)
    results = _Given(as_bytes(result or usual["max_result"], _RESULTS), _RESULTS if result else USUAL)
    if n_executors is None:
        return {**_local(options, spark), "max_result": results}
    cores = _first(("--cores", options.cores), ("spark.executor.cores", spark.get("spark.executor.cores")))
    return {
        "executors": _Given(int(n_executors.value), n_executors.origin),
        "cores": (cores and _Given(int(cores.value), cores.origin)) or _Given(int(CLUSTER["cores"]), USUAL),
        **_memory("executor", options.memory, "--memory", spark),
        "driver memory": _memory("driver", options.driver_memory, "--driver-memory", spark)["memory"],
        "max_result": results,
    }


def _first(*places: tuple[str, Any]) -> _Given | None:
    return next((_Given(value, place) for place, value in places if value is not None), None)


def _is_local(spark: Mapping[str, str]) -> bool:
    return spark.get("spark.master", "").startswith("local")


def _memory(whose: str, flag: str | None, flag_name: str, spark: Mapping[str, str]) -> dict[str, _Given]:
    """JVM and Python of an executor or the driver together, and the JVM's part.

    Spark's ``memory`` is the JVM's; what it allows beside is ``memoryOverhead``, or its factor, and with it
    ``pyspark.memory``. Where a config has none of these, Python has as much as the JVM, as in conf/spark/cluster.conf.
    """
    if flag:
        memory = as_bytes(flag, flag_name)
        return {"memory": _Given(memory, flag_name), "heap": _Given(HEAP_SHARE * memory, f"half of {flag_name}")}
    keys = {name: f"spark.{whose}.{name}" for name in ("memory", "memoryOverhead", "memoryOverheadFactor")}
    keys["pyspark"] = f"spark.{whose}.pyspark.memory"
    said = {name: spark[key] for name, key in keys.items() if key in spark}
    usual = as_bytes(CLUSTER["memory" if whose == "executor" else "driver_memory"], "") * HEAP_SHARE
    heap = as_bytes(said["memory"], keys["memory"], unit="m") if "memory" in said else usual
    beside = float(said.get("memoryOverheadFactor", 1.0 if "pyspark" not in said else LEAST_OVERHEAD)) * heap
    if "memoryOverhead" in said:
        beside = as_bytes(said["memoryOverhead"], keys["memoryOverhead"], unit="m")
    if "pyspark" in said:
        beside += as_bytes(said["pyspark"], keys["pyspark"], unit="m")
    is_told = said.keys() - {"memory"}
    told = [keys[name] for name in said] + ([] if is_told or not said else ["as much for Python"])
    return {
        "memory": _Given(heap + beside, " + ".join(told) or USUAL),
        "heap": _Given(heap, keys["memory"] if "memory" in said else USUAL),
    }


def _local(options: argparse.Namespace, spark: Mapping[str, str]) -> dict[str, _Given]:
    """One JVM that is driver and executor; all memory but its heap is Python's."""
    master = re.fullmatch(r"local(?:\[(\d+).*)?", spark.get("spark.master", ""))
    cores = _first(("--cores", options.cores), ("spark.master", int(master[1] or 1) if master else None))
    memory = _Given(as_bytes(options.memory, "--memory"), "--memory") if options.memory else _installed()
    said = spark.get("spark.driver.memory")
    given_heap = as_bytes(said or LOCAL["heap"], "spark.driver.memory", unit="m")
    heap = _Given(min(given_heap, HEAP_SHARE * memory.value), "spark.driver.memory" if said else USUAL)
    if heap.value < given_heap:
        heap = _Given(heap.value, f"half of the memory, below {heap.origin}")
    driver = _Given(memory.value - heap.value, "memory - JVM")
    if options.driver_memory:
        driver = _Given(as_bytes(options.driver_memory, "--driver-memory"), "--driver-memory")
    return {
        "cores": cores or _Given(os.cpu_count() or 1, "this machine"),
        "memory": memory,
        "heap": heap,
        "driver memory": driver,
    }


def _installed() -> _Given:
    try:
        return _Given(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), "this machine")
    except (AttributeError, ValueError, OSError):  # not on every system
        return _Given(16.0 * GIB, USUAL)
