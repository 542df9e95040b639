"""Time and size of a report: ``python tests/benchmarks/bench_report.py --items 1e6``. Its tables are written directly.

Items are texts or noisy images of 64 pixels a side, the hardest to compress; Spark's start is not counted. The exit
code is 1 where a bound is not kept.
"""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pyspark.sql import functions as F

from equipoise.session import get_session
from equipoise.studies.report import write_report

sys.path.insert(0, str(Path(__file__).parents[1]))
from report.runs import write_run

N_IMAGES = 500
MOST_SECONDS, MOST_BYTES = 60.0, 10e6


def images() -> list[bytes]:
    rng = np.random.default_rng(0)
    files = [io.BytesIO() for _ in range(N_IMAGES)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(file, "JPEG", quality=80)
    return [file.getvalue() for file in files]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=float, default=1e6)
    parser.add_argument("--ks", default="10000,1000,100", help="clusters by level, lowest first")
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    ks, n_items = [int(float(k)) for k in options.ks.split(",")], int(options.items)
    spark = get_session({"spark.master": options.master, "spark.driver.memory": "4g"}, name="bench-report")
    text = F.repeat(F.concat(F.lit("An item with words & marks <b>, number "), F.col("id").cast("string")), 8)
    noise = F.element_at(F.array(*map(F.lit, images())), (F.col("id") % N_IMAGES + 1).cast("int"))
    print(f"{n_items:,} items, clusters by level {ks}")
    print(f"{'contents':<12}{'seconds':>9}{'MB':>8}   bounds: {MOST_SECONDS:.0f} s, {MOST_BYTES / 1e6:.0f} MB")
    kept = True
    for name, content in {"texts": text.cast("binary"), "images": noise}.items():
        with tempfile.TemporaryDirectory() as folder:
            run_id = write_run(spark, folder, n_items=n_items, ks=ks, content=content)
            begin = time.perf_counter()
            path = write_report(spark, workspace=folder, run_id=run_id)
            took = time.perf_counter() - begin
            size = Path(path).stat().st_size
            kept = kept and took <= MOST_SECONDS and size <= MOST_BYTES
            print(f"{name:<12}{took:>9.1f}{size / 1e6:>8.2f}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
