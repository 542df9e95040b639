"""Pairs of similar vectors on Spark beside faiss' brute-force range search in one process, on the same cores.

    python tests/benchmarks/bench_deduplicate.py --size small|full [--only text copies growth components]
        [--rounds N] [--vectors FILE.npy]

text: MiniLM vectors of the paragraphs of the docstrings of all installed packages (made once and kept as FILE.npy; on
two cores that takes half an hour), pairs above 0.6 and 0.8. copies: vectors whose spectrum falls as that of the text
does, a tenth of them copies of others with noise. growth: clusters of 500, as many as the vectors need: the exponent of
the time in their number, exact and with probes. components: random edges between as many items, by Spark alone.

Contenders take turns. A time of ours is all that Spark does, from a Parquet file of vectors to the pairs, but for the
start of the session. Recall: pairs that faiss finds and ours does not, and the other way round, count where their
cosine is more than float32's rounding from the threshold. The exit code is 1 where a bound is not kept.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import faiss
import numpy as np
from contenders import interleaved, ratio, seconds
from pyspark.sql import DataFrame
from resources import watched
from rich.console import Console
from threadpoolctl import threadpool_limits
from vector_sets import clustered, text_vectors, with_copies

from equipoise import __version__, get_session
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.blocks import arrays_frame, vectors_frame
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.neighbour_lists import recall_on_sample
from equipoise.pipeline.neighbours import neighbour_pairs
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.search import Search
from equipoise.schemas import Col
from equipoise.schemas.spark_types import struct_of

RATIO_BOUND, EXACT_BOUND, PROBES_BOUND, RECALL_BOUND, ROUNDS_BOUND = 0.25, 1.5, 1.2, 0.99, 20
ROUNDING = 1e-6
SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "text": 12_000,
        "copies": (20_000, 256),
        "growth": (10_000, 20_000, 40_000),
        "rounds": 1,
        "edges": 50_000,
    },
    "full": {
        "text": None,
        "copies": (200_000, 256),
        "growth": (50_000, 200_000, 800_000),
        "rounds": 3,
        "edges": 1_000_000,
    },
}
GROWTH_DIM, GROWTH_THRESHOLD = 128, 0.8
PROBES = 8
PARTS = ["text", "copies", "growth", "components"]


def stored(vectors: np.ndarray, folder: str) -> DataFrame:
    """Vectors as a Parquet file of (item_id, embedding)."""
    spark, place = get_session(), tempfile.mkdtemp(dir=folder)
    vectors_frame(spark, np.arange(len(vectors)), vectors).write.mode("overwrite").parquet(place)
    return spark.read.parquet(place)


def sought(embeddings: DataFrame, search: Search) -> None:
    """All pairs, computed and thrown away."""
    with neighbour_pairs(embeddings, search) as pairs:
        pairs.write.format("noop").mode("overwrite").save()


def faiss_pairs(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs i < j (m, 2) by brute force."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    limits, _, found = index.range_search(vectors, threshold)
    rows = np.repeat(np.arange(len(vectors)), np.diff(limits).astype(np.int64))
    return np.column_stack([rows, found])[rows < found]


def against_faiss(vectors: np.ndarray, thresholds: list[float], rounds: int, folder: str) -> list[dict[str, Any]]:
    """Ratio of times and recall at every threshold."""
    unit = unit_length(vectors)
    embeddings, results = stored(vectors, folder), []
    sought(embeddings, Search(0.95))  # the JVM compiles
    for threshold in thresholds:
        contenders: dict[str, Callable[[], float]] = {
            "spark": partial(seconds, partial(sought, embeddings, Search(threshold))),
            "faiss": partial(seconds, partial(faiss_pairs, unit, threshold)),
        }
        with watched() as peak:
            times = interleaved(contenders, rounds)
        with neighbour_pairs(embeddings, Search(threshold)) as pairs:
            ours = pairs.toPandas()[["src", "dst"]].to_numpy()
        missed, more = differing(unit, faiss_pairs(unit, threshold), ours, threshold)
        results.append({
            "n": len(unit), "dim": unit.shape[1], "threshold": threshold, "pairs": len(ours),
            "missed": missed, "more": more, "ratio": ratio(times["spark"], times["faiss"]),
            "seconds": {name: median(found) for name, found in times.items()},
            "peak_bytes": peak.bytes, "worker_bytes": peak.worker_bytes,
        })  # fmt: skip
    return results


def differing(unit: np.ndarray, theirs: np.ndarray, ours: np.ndarray, threshold: float) -> tuple[int, int]:
    """Pairs that one found and the other did not, but for those at the threshold."""
    keys = [pairs[:, 0].astype(np.int64) * len(unit) + pairs[:, 1] for pairs in (theirs, ours)]
    counts = []
    for some, others in (keys, keys[::-1]):
        rows, columns = np.divmod(np.setdiff1d(some, others), len(unit))
        cosines = (unit[rows].astype(np.float64) * unit[columns]).sum(axis=1)
        counts.append(int((np.abs(cosines - threshold) > ROUNDING).sum()))
    return counts[0], counts[1]


def growth(sizes: tuple[int, ...], folder: str) -> dict[str, Any]:
    """Seconds by number of vectors, exact and with probes, and the exponents from the smallest to the largest."""
    exact = Search(GROWTH_THRESHOLD, exact_limit=max(sizes))
    probing = Search(GROWTH_THRESHOLD, exact_limit=0, probes=PROBES)
    times: dict[str, list[float]] = {"exact": [], "probes": []}
    embeddings = stored(clustered(sizes[0], GROWTH_DIM), folder)
    sought(embeddings, exact)
    for n in sizes:
        embeddings = stored(clustered(n, GROWTH_DIM), folder)
        for name, search in (("exact", exact), ("probes", probing)):
            times[name].append(seconds(partial(sought, embeddings, search)))
    with neighbour_pairs(embeddings, probing) as pairs:
        recall = recall_on_sample(embeddings, pairs, probing)
    span = np.log(sizes[-1] / sizes[0])
    exponents = {name: float(np.log(found[-1] / found[0]) / span) for name, found in times.items()}
    return {"sizes": sizes, "seconds": times, "exponents": exponents, "recall": recall.share, "pairs": recall.n_pairs}


def components_of(n_edges: int) -> dict[str, Any]:
    """Rounds and seconds of the components of random edges, none of it done by the driver; how many there are."""
    ends = np.random.default_rng(0).integers(n_edges, size=(2, n_edges))
    names, said = [Col.src, Col.dst], list[str]()
    edges = arrays_frame(get_session(), dict(zip(names, ends, strict=True)), struct_of(dict.fromkeys(names, "bigint")))
    search = partial(connected_components, edges, checkpoint=cut_plan, told=said.append, driver_limit=0)
    took = seconds(lambda: search().write.format("noop").mode("overwrite").save())
    return {"edges": n_edges, "rounds": sum("round" in line and "became" in line for line in said), "seconds": took}


def show_components(found: dict[str, Any], console: Console) -> bool:
    """The rounds; whether they are few enough."""
    console.print(
        f"components: {found['edges']:,} edges, {found['rounds']} rounds ({ROUNDS_BOUND}), {found['seconds']:.0f} s"
    )
    return bool(found["rounds"] <= ROUNDS_BOUND)


def show(name: str, results: list[dict[str, Any]], console: Console) -> bool:
    """A line a threshold; whether all bounds are kept."""
    for row in results:
        took = row["seconds"]
        console.print(
            f"{name}: {row['n']:,} x {row['dim']} above {row['threshold']}: {row['pairs']:,} pairs, "
            f"{row['missed']} missed (0), {row['more']} too many (0); "
            f"{took['spark']:.1f} s, faiss {took['faiss']:.1f} s, ratio {row['ratio']:.2f} ({RATIO_BOUND}); "
            f"peak of all processes {row['peak_bytes'] / 2**30:.1f} GiB, of a worker {row['worker_bytes'] / 2**30:.2f}"
        )
    return all(row["ratio"] <= RATIO_BOUND and not row["missed"] and not row["more"] for row in results)


def show_growth(found: dict[str, Any], console: Console) -> bool:
    """The exponents and the recall; whether all bounds are kept."""
    for name, bound in (("exact", EXACT_BOUND), ("probes", PROBES_BOUND)):
        took = ", ".join(f"{n:,}: {one:.1f} s" for n, one in zip(found["sizes"], found["seconds"][name], strict=True))
        console.print(f"growth, {name}: {took}; exponent {found['exponents'][name]:.2f} ({bound})")
    console.print(f"recall of {PROBES} probes: {found['recall']:.4f} ({RECALL_BOUND}) of {found['pairs']:,} pairs")
    exponents = found["exponents"]
    is_growth_kept = exponents["exact"] <= EXACT_BOUND and exponents["probes"] <= PROBES_BOUND
    return bool(is_growth_kept and found["recall"] >= RECALL_BOUND)


def main() -> int:
    """Measures and prints; 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, help="in which the contenders take turns (default: the size's)")
    parser.add_argument("--vectors", type=Path, default=Path("data/paragraph_vectors.npy"))
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench_deduplicate.json"))
    options = parser.parse_args()
    size, console, found, are_kept = SIZES[options.size], Console(width=200, highlight=False), dict[str, Any](), True
    makers = {
        "text": lambda: text_vectors(options.vectors, size["text"]),
        "copies": lambda: with_copies(*size["copies"]),
    }
    with threadpool_limits(os.cpu_count()), tempfile.TemporaryDirectory() as folder:
        faiss.omp_set_num_threads(os.cpu_count())
        for name in [one for one in options.only if one in makers]:
            found[name] = against_faiss(makers[name](), [0.6, 0.8], options.rounds or size["rounds"], folder)
            are_kept &= show(name, found[name], console)
        if "growth" in options.only:
            found["growth"] = growth(size["growth"], folder)
            are_kept &= show_growth(found["growth"], console)
        if "components" in options.only:
            found["components"] = components_of(size["edges"])
            are_kept &= show_components(found["components"], console)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    everything = {"version": __version__, "date": str(date.today()), "cores": os.cpu_count(), **found}
    options.json.write_text(json.dumps(everything, indent=2))
    return int(not are_kept)


if __name__ == "__main__":
    sys.exit(main())
