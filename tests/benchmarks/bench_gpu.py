"""The assignment on a GPU beside a plain matrix product of the same shape, in TFLOP/s.

    python tests/benchmarks/bench_gpu.py [--n --dim --k --rounds --dtype --json FILE]

Needs numpy and torch, and nothing else of what the package does. A product of (n, d) and (d, k) counts 2 n d k
operations, whatever the assignment does beside. The contenders take turns, round by round, the median counts, and the
device has finished whenever a clock is read. ``nearest`` returns labels and distances, ``block_stats`` sums by cluster:
both with the vectors on the device, as an iteration on arrays has them, and with the vectors in main memory, as a
Spark task has them. What is asked for is half of the plain product, with the vectors on the device.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "lib"))  # the machine may not have the package installed

from equipoise import __version__
from equipoise.kernels import torch_nearest
from equipoise.kernels.torch_nearest import Tiling
from equipoise.kernels.torch_tensors import matmul_precision

SIZES = {"cuda": {"n": 262_144, "dim": 1024, "k": 16_384}, "cpu": {"n": 20_000, "dim": 64, "k": 500}}
PRODUCT_NUMBERS = 2**28
ASKED = 0.5

Contenders = dict[str, Callable[[], object]]


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes, until the device has finished."""
    finish()
    began = time.perf_counter()
    action()
    finish()
    return time.perf_counter() - began


def finish() -> None:
    """Waits for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def plain_product(vectors: torch.Tensor, centroids: torch.Tensor, allow_tf32: bool) -> Callable[[], None]:
    """(n, d) by (d, k) in float32, in as few chunks as a buffer of 1 GiB allows."""
    rows = max(min(len(vectors), PRODUCT_NUMBERS // len(centroids)), 1)
    buffer = torch.empty(rows * len(centroids), device=vectors.device)

    def run() -> None:
        with matmul_precision(allow_tf32):
            for chunk in vectors.split(rows):
                out = buffer[: len(chunk) * len(centroids)].view(len(chunk), len(centroids))
                torch.matmul(chunk, centroids.T, out=out)

    return run


def contenders(options: argparse.Namespace, allow_tf32: bool) -> Contenders:
    """What is timed, by name, on the same vectors: n Gaussians, the first k of them the centroids."""
    generator = torch.Generator(options.device).manual_seed(0)
    exact = torch.randn(options.n, options.dim, generator=generator, device=options.device)
    centroids = exact[: options.k].clone()
    vectors = exact.to(getattr(torch, options.dtype))
    on_host = vectors.cpu().numpy()
    tiling = Tiling(*options.tiling) if options.tiling else None

    def prepare() -> torch_nearest.TorchCentroids:
        return torch_nearest.prepare(centroids, options.device, tiling=tiling, allow_tf32=allow_tf32)

    prepared = prepare()
    return {
        "plain product": plain_product(exact, centroids, allow_tf32),
        "nearest": lambda: torch_nearest.nearest(vectors, prepared),
        "block_stats": lambda: torch_nearest.block_stats(vectors, prepared),
        "nearest, from memory": lambda: torch_nearest.nearest(on_host, prepared),
        "block_stats, from memory": lambda: torch_nearest.block_stats(on_host, prepared),
        "prepare": prepare,
    }


def measure(options: argparse.Namespace, allow_tf32: bool) -> list[dict[str, object]]:
    """One row a contender: median seconds, TFLOP/s, and the median of the ratios to the product of the same round."""
    actions = contenders(options, allow_tf32)
    for action in actions.values():
        action()
    rounds = [{name: seconds(action) for name, action in actions.items()} for _ in range(options.rounds)]
    operations = 2 * options.n * options.dim * options.k
    rows = []
    for name in actions:
        taken = median(times[name] for times in rounds)
        ratio = median(times["plain product"] / times[name] for times in rounds)
        row = {"precision": "tf32" if allow_tf32 else "float32", "name": name, "seconds": taken}
        rows.append(row if name == "prepare" else {**row, "tflops": operations / taken / 1e12, "ratio": ratio})
    return rows


def show(rows: list[dict]) -> None:
    """A table: a line a contender and precision."""
    print(f"{'precision':<10}{'what':<26}{'ms':>10}{'TFLOP/s':>10}{'/ product':>11}")
    for row in rows:
        speed = f"{row['tflops']:>10.2f}{row['ratio']:>11.2f}" if "ratio" in row else ""
        print(f"{row['precision']:<10}{row['name']:<26}{1000 * row['seconds']:>10.2f}{speed}")


def judged(rows: list[dict]) -> list[dict]:
    """Those of the assignment itself."""
    return [row for row in rows if row["name"] in ("nearest", "block_stats")]


def verdict(rows: list[dict]) -> str:
    """Whether the assignment of vectors on the device reaches what is asked for."""
    precisions = dict.fromkeys(row["precision"] for row in judged(rows))
    slowest = {name: min(row["ratio"] for row in judged(rows) if row["precision"] == name) for name in precisions}
    reached = ", ".join(f"{name} {ratio:.2f}" for name, ratio in slowest.items())
    return f"assignment / plain product, the slower of the two: {reached} (asked for: {ASKED})"


def machine(device: str) -> dict[str, object]:
    """What the figures hold for."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    versions = {"version": __version__, "torch": torch.__version__, "cuda": torch.version.cuda, "numpy": np.__version__}
    return {"date": str(date.today()), "device": name, "threads": torch.get_num_threads(), **versions}


def parsed() -> argparse.Namespace:
    """The options, with sizes that suit the device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ... or cpu (small sizes, to try the program)")
    for name, size in SIZES["cuda"].items():
        parser.add_argument(f"--{name}", type=int, help=f"{size:,} on a GPU, {SIZES['cpu'][name]:,} elsewhere")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="of the vectors")
    parser.add_argument(
        "--tiling", type=int, nargs=2, metavar=("ROWS", "CENTROIDS"), help="instead of the kernel's own"
    )
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench_gpu.json"))
    options = parser.parse_args()
    for name, size in SIZES[torch.device(options.device).type].items():
        setattr(options, name, getattr(options, name) or size)
    return options


def main() -> int:
    """Measures, prints and writes; 2 where there is no GPU, 1 where less than what is asked of one came out."""
    options = parsed()
    on_gpu = torch.device(options.device).type == "cuda"
    if on_gpu and not torch.cuda.is_available():
        print("there is no GPU here that torch can use; --device cpu tries the program without", file=sys.stderr)
        return 2
    if on_gpu:
        torch.cuda.set_device(options.device)
    about = {**machine(options.device), "n": options.n, "dim": options.dim, "k": options.k, "dtype": options.dtype}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    rows = [row for allow_tf32 in ([False, True] if on_gpu else [False]) for row in measure(options, allow_tf32)]
    show(rows)
    print(verdict(rows))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({**about, "results": rows}, indent=2))
    return int(on_gpu and any(row["ratio"] < ASKED for row in judged(rows)))


if __name__ == "__main__":
    sys.exit(main())
