"""The stage ``embed``: the pool -> a vector an item and encoder."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from equipoise.config import HOW, TOLD, Config, NamedSource, Section
from equipoise.encoders import Kind, encoder_kind
from equipoise.errors import ConfigError
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col, Slice


class Embedding(Section):
    """One encoder and one source; ``encoder_id`` stands for encoder, options and revisions."""

    source: str
    encoder_id: str
    encoder: Annotated[str, TOLD]
    options: Annotated[dict[str, Any], TOLD] = Field(default_factory=dict)
    batch_size: Annotated[int, HOW] = 256
    items_per_commit: Annotated[int, HOW] = 1_000_000
    tasks_per_gpu: Annotated[int, HOW] = 1
    trained_on: Annotated[str | None, TOLD] = None


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Embedding]]:
    """One an encoder and source whose contents it reads.

    Raises:
        ConfigError: an encoder that is unknown, or that no source has contents for.
    """
    for name, encoder in config.named_encoders.items():
        sources = [source for source in config.named_sources if source.has_contents]
        kind = encoder_kind(encoder.encoder, encoder.options)
        read = [source for source in sources if source.content_kind in (None, kind)]
        if not read:
            raise _nothing_to_read(config, name, kind, sources)
        yield from (_node(config, so_far, name, source) for source in read)


def _node(config: Config, so_far: Graph, encoder_name: str, source: NamedSource) -> Node[Embedding]:
    encoder = config.named_encoders[encoder_name]
    which = "/".join(filter(None, ["" if config.embed else encoder_name, source.suffix]))
    name = f"{EMBED.family}:{which}" if which else EMBED.family
    rejects = Slice(REJECTS, {Col.stage: name})
    return Node(
        name,
        Embedding(
            source=source.name,
            encoder_id=encoder.id,
            encoder=encoder.encoder,
            options=encoder.options,
            batch_size=encoder.batch_size,
            items_per_commit=encoder.items_per_commit,
            tasks_per_gpu=encoder.tasks_per_gpu,
            trained_on=encoder.trained_on,
        ),
        "equipoise.stages.embed.work:embed",
        sources=(source.name,),
        needs=so_far.made(POOL, source=source.name),
        after=so_far.sieves([source.name]),
        makes=(Slice(EMBEDDINGS, {Col.encoder_id: encoder.id, Col.source: source.name}), rejects),
        drops=rejects,
        check="equipoise.stages.embed.check:check",
    )


def _nothing_to_read(config: Config, name: str, kind: Kind, sources: list[NamedSource]) -> ConfigError:
    place = config.encoder_place(name)
    if not config.named_sources:
        return config.without_source(str(place))
    if not sources:
        key = config.named_sources[0].place.key("kind")
        return ConfigError(f"{key}: embeddings brings its vectors, there is nothing to embed: drop the section {place}")
    kinds = " and ".join(sorted({str(source.content_kind) for source in sources}))
    which = "the source holds" if len(sources) == 1 else "the sources hold"
    encoder = config.named_encoders[name].encoder
    return ConfigError(f"{place.key('encoder')}: {encoder!r} reads {kind}, {which} {kinds}; name another")


EMBED: Stage[None] = Stage(
    "embed",
    "turn the items of the pool into vectors",
    nodes,
    tables=(EMBEDDINGS,),
)
