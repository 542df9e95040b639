"""The stages of a run. This list is all that knows them: a new one is a folder here, and a line."""

from typing import Any

from equipoise.runs.stage import Stage
from equipoise.stages.benchmark import BENCHMARK
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.deduplicate import DEDUPLICATE
from equipoise.stages.embed import EMBED
from equipoise.stages.evaluate import EVALUATE
from equipoise.stages.ingest import INGEST
from equipoise.stages.select import SELECT

STAGES: tuple[Stage[Any], ...] = (INGEST, EMBED, DEDUPLICATE, CLUSTER, SELECT, EVALUATE, BENCHMARK)
"""In the order of the pipeline: each finds what those before it make."""
