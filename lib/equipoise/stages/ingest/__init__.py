"""The stage ``ingest``: the user's data -> the pool; ready-made vectors -> the embeddings too."""

from collections.abc import Iterator
from typing import Annotated

from equipoise.config import HOW, Config, NamedSource, Section, Source
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col, Slice


class Ingestion(Section):
    """One source, under the name that its items have in the pool; ``place`` is where its section stands."""

    name: str
    source: Source
    place: Annotated[str, HOW]
    encoder_id: str | None = None


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Ingestion]]:
    """One a source."""
    return (_node(config, source) for source in config.named_sources)


def _node(config: Config, source: NamedSource) -> Node[Ingestion]:
    name = f"{INGEST.family}:{source.suffix}" if source.suffix else INGEST.family
    encoder_id = None if source.has_contents else config.given_encoder_id(source)
    vectors = {Col.encoder_id: encoder_id, Col.source: source.name} if encoder_id else None
    return Node(
        name,
        Ingestion(name=source.name, source=source.section, place=str(source.place), encoder_id=encoder_id),
        "equipoise.stages.ingest.work:ingest",
        sources=(source.name,),
        makes=(
            Slice(POOL, {Col.source: source.name}),
            *([Slice(EMBEDDINGS, vectors)] if vectors else []),
            Slice(REJECTS, {Col.stage: name}),
        ),
        check="equipoise.stages.ingest.check:check",
        origin=source.origin,
        outside="equipoise.stages.ingest.blocking:states" if source.section.blocks else None,
        revision=2,
    )


INGEST: Stage[None] = Stage(
    "ingest",
    "give the items of the sources ids and add the new ones to the pool",
    nodes,
    tables=(POOL, EMBEDDINGS),
    key="source",
)
