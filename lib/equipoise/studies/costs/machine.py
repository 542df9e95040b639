"""The machine that a plan is made for: flags before the config's Spark settings before what is usual."""

import argparse
import math
import os
import re
from collections.abc import Mapping
from typing import Any

from equipoise.errors import ConfigError
from equipoise.planning.machines import GFLOPS_PER_CORE, GIB, HEAP_SHARE, TFLOPS_PER_GPU, Machine

CLUSTER = {"cores": "8", "memory": "56g", "driver_memory": "64g", "max_result": "8g", "gpu_memory": "40g"}
"""The executors of conf/spark/cluster.conf, whose other half is Python's, and its limits; the driver's likewise."""
LOCAL = {"heap": "6g", "max_result": "2g"}
"""As session/defaults.py sets them, which imports Spark; a test keeps the two alike."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def machine_of(options: argparse.Namespace, spark: Mapping[str, str]) -> Machine:
    """The machine that the flags describe.

    Args:
        options: the flags of ``equipoise plan``.
        spark: the config's Spark settings.

    Raises:
        ConfigError: a size is none.
    """
    is_local = options.executors is None
    usual = LOCAL if is_local else CLUSTER
    result_limit = spark.get("spark.driver.maxResultSize", usual["max_result"])
    sizes = _local(options, spark) if is_local else _cluster(options)
    return Machine(
        **sizes,
        gpus=options.gpus or 0,
        gpu_memory_bytes=as_bytes(options.gpu_memory or CLUSTER["gpu_memory"], "--gpu-memory"),
        gflops_per_core=options.gflops_per_core or GFLOPS_PER_CORE,
        tflops_per_gpu=options.tflops or TFLOPS_PER_GPU,
        network_bytes_per_second=math.inf if is_local else options.network_gbit * 1e9 / 8,
        disk_bytes_per_second=options.disk_mb * 1e6,
        max_result_bytes=math.inf if result_limit == "0" else as_bytes(result_limit, "spark.driver.maxResultSize"),
    )


def as_bytes(size: str, name: str) -> float:
    """A size as Spark writes them, ``64g`` for 64 GiB, in bytes.

    Raises:
        ConfigError: it is none.
    """
    match = _SIZE.fullmatch(size.strip())
    if not match or float(match[1]) == 0:
        raise ConfigError(f"{name} {size}: not a size; write a number and a unit, such as 512m, 64g or 1t")
    return float(match[1]) * _UNITS[match[2].lower()]


def _cluster(options: argparse.Namespace) -> dict[str, Any]:
    memory_bytes = as_bytes(options.memory or CLUSTER["memory"], "--memory")
    return {
        "executors": options.executors,
        "cores": options.cores or int(CLUSTER["cores"]),
        "memory_bytes": memory_bytes,
        "heap_bytes": HEAP_SHARE * memory_bytes,
        "driver_memory_bytes": as_bytes(options.driver_memory or CLUSTER["driver_memory"], "--driver-memory"),
    }


def _local(options: argparse.Namespace, spark: Mapping[str, str]) -> dict[str, Any]:
    """One JVM that is driver and executor; all memory but its heap is Python's."""
    master = re.fullmatch(r"local(?:\[(\d+).*)?", spark.get("spark.master", ""))
    named = int(master[1] or 1) if master else None
    memory_bytes = as_bytes(options.memory, "--memory") if options.memory else _installed_bytes()
    given_heap = as_bytes(spark.get("spark.driver.memory", LOCAL["heap"]), "spark.driver.memory")
    heap_bytes = min(given_heap, HEAP_SHARE * memory_bytes)
    driver = as_bytes(options.driver_memory, "--driver-memory") if options.driver_memory else memory_bytes - heap_bytes
    return {
        "executors": 1,
        "cores": options.cores or named or os.cpu_count() or 1,
        "memory_bytes": memory_bytes,
        "heap_bytes": heap_bytes,
        "driver_memory_bytes": driver,
    }


def _installed_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on every system
        return 16.0 * GIB
