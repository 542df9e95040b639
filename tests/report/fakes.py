"""A whole report of made-up values, whose texts are hostile wherever the data can have them."""

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from PIL import Image

from equipoise.evaluation.balance import measures
from equipoise.report.content import (
    Balance,
    ClassSizes,
    Cluster,
    Failure,
    Largest,
    Rejects,
    Report,
    RunFacts,
    SelectionFacts,
    Shrank,
    Spread,
    StageFacts,
    Tree,
)
from equipoise.report.duplicates import DuplicateGroup, Duplicates, Member, Pair, Pairs
from equipoise.report.items import Item
from equipoise.report.measurements import Metric, Metrics, VotedClasses
from equipoise.schemas import Col

ATTACK = "<script>alert(1)</script>"
QUOTED = '"><img src=http://example.invalid/x.png onerror=alert(2)>'


def webp(seed: int, side: int = 24) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    return file.getvalue()


def item(number: int, *, is_text: bool = False) -> Item:
    text = f"{ATTACK} item {number} & more" if is_text else None
    thumbnail = None if is_text else webp(number)
    return Item(number, thumbnail=thumbnail, snippet=text, label=QUOTED, uri=f"file:/{ATTACK}", copies=number % 2)


def spread(name: str, kind: str, sizes: list[int], tint: int = 0) -> Spread:
    counts = np.asarray(sizes, float)
    return Spread(name, kind, tint, counts, np.ones_like(counts), measures(counts))


def cluster(level: int, number: int, *, children: int, is_text: bool) -> Cluster:
    below = [
        cluster(level - 1, 10 * number + place, children=children, is_text=is_text)
        for place in range(children if level > 1 else 0)
    ]
    items = [item(100 * level + 10 * number + place, is_text=is_text) for place in range(4)]
    return Cluster(
        level,
        number,
        n_pool=1000 - 10 * number,
        share_pool=0.05,
        n_curated={"even": 10 * number, "near": 5},
        ratios={"even": 0.1 * (9 - number), "near": None},
        n_children=len(below) + 3 if below else 0,
        children=below,
        examples={"closest": items, "random": items[:2], "farthest": items[1:]},
    )


def class_points(sizes: list[int]) -> pd.DataFrame:
    return pd.DataFrame({Col.n_items: np.asarray(sizes, float), Col.n_clusters: np.sqrt(sizes).round()})


def failure(model: str, rank: int, *, is_text: bool) -> Failure:
    query, predicted = (item(number, is_text=is_text) for number in (7 * rank, 8 * rank))
    return Failure(model, "landmarks", rank, query, predicted, Item(QUOTED), 0.25, 0.75)


def copies(*, is_text: bool = False) -> Duplicates:
    """Of a run that looked for copies, and for those of two sets, of which one has a hostile name."""
    first, second, third, of_set = (item(number, is_text=is_text) for number in (1, 2, 3, 4))
    near = {"above": [Pair(first, second, 0.8125)], "below": [Pair(first, third, 0.7875)]}
    return Duplicates(
        n_in=1000,
        n_out=980,
        drops={"copies": 12, f"against:{ATTACK}": 8, "not_seen": 0},
        n_items=30,
        n_groups=10,
        groups=[
            DuplicateGroup(3, first, [Member(second, 0.9)]),
            DuplicateGroup(2, of_set, [Member(third, 0.85), Member(second, None, "in the group")], of=ATTACK),
        ],
        pairs=[
            Pairs(1015, [0.6, 0.8, 1.0], [1000, 15], 0.8, stored_above=0.6, recall=0.9876, **near),
            Pairs(1, [0.9, 0.91], [1], 0.45, of=ATTACK, stored_above=0.45, above=[Pair(first, of_set, 0.905)]),
            Pairs(0, [], [], 0.45, of="val", stored_above=0.45),
        ],
        n_copies=7,
        neighbours=64,
        n_kinds_left_out=2,
    )


def facts() -> RunFacts:
    stages = [
        StageFacts("ingest", "done", 2.5, 1, 1010, 1000, 10, {}),
        StageFacts("cluster", "done", 4000.0, 2, 1000, 1000, 0, {}, ["ingest"]),
        StageFacts("select:even", "done", 1.25, 1, 1000, 300, 0, {"not_selected": 700}, ["cluster"]),
        StageFacts("select:near", "failed", None, 1, stands_on=["cluster"]),
    ]
    config = f"source:\n  path: {ATTACK}\n" + "  long: " + "x" * 300
    return RunFacts(
        "run-1", f"/w/{QUOTED}", ATTACK, 7, "0.1.0", datetime(2026, 1, 2, tzinfo=UTC), config, {"pool": 3}, stages
    )


def whole_report(*, is_text: bool = False) -> Report:
    rows = [
        {Col.level: level, Col.resampling: resampling, Col.iteration: step, Col.objective: 100 / step + resampling}
        for level in (1, 2)
        for resampling in (0, 1, 2)[: 1 if level == 1 else 3]
        for step in range(1, 9)
    ]
    sets = [("pool", "pool", [900, 60, 30, 10]), ("even", "selection", [80, 75, 75, 70])]
    sets += [("300 at random", "random", [270, 18, 9, 3]), ("near", "selection", [100, 100, 50, 0])]
    spreads = [spread(name, kind, sizes, tint=int(name == "near")) for name, kind, sizes in sets]
    labels = [ATTACK, QUOTED, "$x_1", "plain"]
    return Report(
        run=facts(),
        balances=[Balance(group, spreads) for group in ("level_1", "level_2", "class")],
        largest=[
            Largest(
                1,
                2,
                {"pool": 0.96, "even": 0.5, "300 at random": 0.95},
                {"even": Shrank(1, 0.9, 0.27), "near": Shrank(0, 0, 0)},
            )
        ],
        classes=[
            ClassSizes(label, {name: sizes[place] for name, _, sizes in sets}) for place, label in enumerate(labels)
        ],
        n_classes=6,
        iterations=pd.DataFrame(rows).assign(**{Col.n_empty: 0, Col.seconds: 0.5}),
        selections=[SelectionFacts("even", f"300 items, where {ATTACK}", 300, 300), SelectionFacts("near", "", 5, 8)],
        compared=["even", "near"],
        tree=Tree(
            [cluster(2, number, children=3, is_text=is_text) for number in range(1, 6)],
            [2, 1],
            {2: 5, 1: 15},
            {2: 50, 1: 1500},
            n_largest=3,
            n_shrunk=2,
        ),
        rejects=[Rejects("ingest", "unreadable_file", 10, [(ATTACK, QUOTED), ("b.png", "")])],
        duplicates=copies(is_text=is_text),
        metrics=Metrics(
            [Metric("level_1", "gini", {"pool": 0.5, "even": float("nan")}), Metric(ATTACK, "x", {"pool": 1e9})],
            ["pool", "even"],
            700,
        ),
        voted=VotedClasses(
            {"pool": class_points([900, 60, 8]), "even": class_points([80, 75])},
            {name: measures(sizes) for name, sizes in (("pool", [900, 60, 8]), ("even", [80, 75, 0]))},
        ),
        failures=[failure(model, rank, is_text=is_text) for model in ("ours", ATTACK) for rank in (1, 2)],
    )
