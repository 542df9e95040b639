"""Time and driver memory of listing a source: ``python tests/benchmarks/bench_listing.py --size small|full``.

Files of one byte in folders of 1,000, and tar shards of 100 members, an item each. Memory is what the driver keeps of a
listing while its rows are read: of its Python process all that is its own, of the JVM the heap that lives after a
collection. Bytes an item are the growth between two sizes. The exit code is 1 where the bound is not kept.
"""

import argparse
import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from pydantic import TypeAdapter
from pyspark.sql import SparkSession

from equipoise import get_session
from equipoise.config import Place, Source
from equipoise.sources.reading import raw_items

BYTES_BOUND = 200
SIZES = {
    "small": {"files": (10_000, 50_000), "shards": (20, 100)},
    "full": {"files": (100_000, 1_000_000), "shards": (100, 1_000)},
}
FOLDER, MEMBERS = 1_000, 100


def write_files(folder: Path, first: int, last: int) -> None:
    """Files by number, beside those that are there."""
    for number in range(first, last):
        if number % FOLDER == 0:
            (folder / f"{number // FOLDER:05d}").mkdir(parents=True)
        (folder / f"{number // FOLDER:05d}" / f"{number % FOLDER:03d}.jpg").write_bytes(b"x")


def write_shards(folder: Path, first: int, last: int) -> None:
    """Shards by number, beside those that are there: of every member two kilobytes, and its caption."""
    folder.mkdir(exist_ok=True)
    for shard in range(first, last):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for member in range(MEMBERS):
                for ending, size in (("jpg", 2_000), ("txt", 20)):
                    info = tarfile.TarInfo(f"{shard:05d}{member:04d}.{ending}")
                    info.size = size
                    tar.addfile(info, io.BytesIO(bytes(size)))


def driver_bytes(spark: SparkSession) -> int:
    """What the driver's two processes hold, after collections."""
    jvm: Any = spark.sparkContext._jvm
    runtime = jvm.java.lang.Runtime.getRuntime()
    for _ in range(3):
        jvm.java.lang.System.gc()
        time.sleep(0.3)
    return int(runtime.totalMemory() - runtime.freeMemory()) + int(psutil.Process().memory_full_info().uss)


def listed(spark: SparkSession, values: dict[str, Any]) -> tuple[float, int]:
    """Seconds of listing a source and reading all rows, and the driver's bytes while it is held."""
    source: Source = TypeAdapter(Source).validate_python(values)
    begin = time.perf_counter()
    items = raw_items(spark, source, Place("source"))
    items.write.format("noop").mode("overwrite").save()
    return time.perf_counter() - begin, driver_bytes(spark)


def measured(
    spark: SparkSession, values: dict[str, Any], sizes: tuple[int, int], *, write: Callable[..., None], per: int
) -> bool:
    """Prints time, memory and the growth of memory between two sizes; whether the bound is kept."""
    before, done = [], 0
    for size in sizes:
        write(Path(values["path"]), done, size)
        done = size
        seconds, held = listed(spark, values)
        before.append(held)
        print(
            f"{values['kind']}: {size:,} ({size * per:,} items): {seconds:.1f} s, driver {held / 2**20:.0f} MiB",
            flush=True,
        )
    growth = (before[1] - before[0]) / ((sizes[1] - sizes[0]) * per)
    print(f"{values['kind']}: {growth:.0f} bytes an item more (bound {BYTES_BOUND})", flush=True)
    return growth <= BYTES_BOUND


def main() -> int:
    """Runs both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    options = parser.parse_args()
    sizes = SIZES[options.size]
    spark = get_session({"spark.master": "local[2]", "spark.driver.memory": "4g"}, name="bench-listing")
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder) / "warm", 0, 1_000)
        listed(spark, {"kind": "images", "path": f"{folder}/warm"})
        images, shards = ({"kind": kind, "path": f"{folder}/{kind}"} for kind in ("images", "webdataset"))
        kept = [
            measured(spark, images, sizes["files"], write=write_files, per=1),
            measured(spark, shards, sizes["shards"], write=write_shards, per=MEMBERS),
        ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
