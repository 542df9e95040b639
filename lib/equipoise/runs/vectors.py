"""Which vectors a node uses: those of its sources, by the encoder that it names, or the only one that there is."""

from collections import defaultdict
from collections.abc import Sequence

from equipoise.errors import ConfigError, nearest
from equipoise.runs.graph import Graph
from equipoise.schemas import EMBEDDINGS, Col, Slice


def vectors_of(so_far: Graph, sources: Sequence[str], encoder: str | None, *, key: str) -> tuple[Slice, ...]:
    """The slices of the embeddings of all ``sources``.

    Args:
        so_far: the graph, with what makes vectors.
        sources: whose items.
        encoder: the name of an encoder; None where one alone has vectors of all sources.
        key: of the config, that names one.

    Raises:
        ConfigError: nobody makes any, no encoder has that name, or several could be meant.
    """
    whole = _whole(so_far, sources)
    names = {name: one for name, one in so_far.config.encoder_ids().items() if one in whole}
    if encoder is not None and names:
        if encoder not in names:
            raise ConfigError(f"{key}: {encoder!r} makes no vectors of {_all(sources)}; {nearest(encoder, names)}")
        whole = {names[encoder]: whole[names[encoder]]}
    if len(whole) > 1:
        raise ConfigError(f"{key} is needed, since several encoders make vectors: {', '.join(names)}; name one")
    if not whole:
        raise ConfigError(
            f"{key}: no encoder makes vectors of all of {_all(sources)}: embed them with one, or, where they bring "
            "vectors that one model made, say so by the key encoder of each source"
        )
    parts = next(iter(whole.values()))
    return tuple(parts[source] for source in sources)


def encoders_of(graph: Graph, sources: Sequence[str]) -> list[str]:
    """The names of all that make vectors of all ``sources``, as :func:`vectors_of` takes them.

    Raises:
        ConfigError: nobody makes any.
    """
    whole = _whole(graph, sources)
    return [name for name, one in graph.config.encoder_ids().items() if one in whole]


def _whole(graph: Graph, sources: Sequence[str]) -> dict[str, dict[str, Slice]]:
    """The slices by encoder id and source, of those encoders that have them all."""
    slices: dict[str, dict[str, Slice]] = defaultdict(dict)
    for part in graph.made(EMBEDDINGS):
        slices[str(part.where[Col.encoder_id])][str(part.where[Col.source])] = part
    return {one: parts for one, parts in slices.items() if set(sources) <= parts.keys()}


def _all(sources: Sequence[str]) -> str:
    return ", ".join(repr(source) for source in sources)
