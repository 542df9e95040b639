"""The stage ``deduplicate``: the items of the pool -> which are copies of others, and do not go on."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from equipoise.config import HOW, Config, Section
from equipoise.errors import ConfigError, nearest
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.question import Question
from equipoise.runs.stage import Stage
from equipoise.runs.vectors import vectors_of
from equipoise.schemas import DUPLICATE_EDGES, DUPLICATES, EMBEDDINGS, METRICS, POOL, Col, Slice
from equipoise.stages.deduplicate.section import KINDS_OF_RULES, Against, ByAttribute, Deduplicate, SemDedup

FAMILY = "deduplicate"
PAIRS, GROUPS, ROUNDS = f"{FAMILY}:pairs", f"{FAMILY}:groups", f"{FAMILY}:semdedup"
"""The steps."""


class Pairs(Section):
    """Which pairs are looked for. Down to where is no part of what they are: it may be lower than is asked for."""

    pool: tuple[str, ...]
    encoder_id: str
    floor: Annotated[float, HOW]
    neighbours: int
    exact_limit: int
    probes: int
    exact_copies: str
    task_bytes: Annotated[int, HOW]
    against: tuple[str, ...] = ()
    against_floor: Annotated[float, HOW] = 1.0


class Groups(Section):
    """What is made of the pairs that are stored."""

    threshold: float
    keep: str | ByAttribute
    target_keep: int | None = None
    against: Against | None = None


class Rounds(Section):
    """SemDeDup over the vectors of one encoder."""

    encoder_id: str
    threshold: float
    rule: SemDedup


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Any]]:
    """One that finds pairs and one that makes groups of them; of SemDeDup one.

    Raises:
        ConfigError: there are no vectors, those of several encoders, no such set, or no such attribute.
    """
    section = DEDUPLICATE.of(config)
    if section is None:
        return
    if section.semdedup:
        yield _rounds(config, section, so_far)
        return
    _check_rule(config, section, so_far)
    pairs = _pairs(config, section, so_far)
    yield pairs
    yield _groups(section, so_far, pairs)


def _check_rule(config: Config, section: Deduplicate, so_far: Graph) -> None:
    """A source has the attributes that its own section names, and only pictures and texts have a size to compare."""
    sources = [source for source in config.named_sources if source.name in so_far.pool]
    if isinstance(section.keep, ByAttribute):
        known = {name for source in sources for name in getattr(source.section, "attributes", ())}
        if section.keep.attribute not in known:
            meant = f"; {nearest(section.keep.attribute, known)}" if known else ""
            raise ConfigError(
                f"deduplicate.keep.attribute: no source keeps the attribute {section.keep.attribute!r}{meant}: name it "
                "in the source's `attributes`, or take another rule"
            )
    elif wanted := KINDS_OF_RULES.get(section.keep):
        found = {source.content_kind if source.has_contents else "embeddings" for source in sources}
        if not found & {wanted, None}:
            raise ConfigError(
                f"deduplicate.keep: {section.keep} compares {wanted}, and the pool holds "
                f"{' and '.join(sorted(filter(None, found)))}: take another rule"
            )


def _pairs(config: Config, section: Deduplicate, so_far: Graph) -> Node[Pairs]:
    sets = section.against.sources if section.against else ()
    vectors = vectors_of(so_far, (*so_far.pool, *sets), section.encoder, key=f"{DEDUPLICATE.family}.encoder")
    return Node(
        PAIRS,
        Pairs(
            pool=so_far.pool,
            encoder_id=str(vectors[0].where[Col.encoder_id]),
            floor=section.floor,
            neighbours=section.neighbours,
            exact_limit=section.exact_limit,
            probes=section.probes,
            exact_copies=section.exact_copies,
            task_bytes=int(section.task_bytes),
            against=sets,
            against_floor=section.against.threshold if section.against else 1.0,
        ),
        "equipoise.stages.deduplicate.pairs:find",
        sources=so_far.pool,
        needs=(*vectors, *_items(so_far)),
        after=so_far.sieves((*so_far.pool, *sets)),
        makes=(Slice(DUPLICATE_EDGES, {Col.stage: PAIRS}), Slice(METRICS, {Col.stage: PAIRS})),
        seed=config.seed,
    )


def _groups(section: Deduplicate, so_far: Graph, pairs: Node[Pairs]) -> Node[Groups]:
    return Node(
        GROUPS,
        Groups(threshold=section.above, keep=section.keep, target_keep=section.target_keep, against=section.against),
        "equipoise.stages.deduplicate.groups:group",
        sources=so_far.pool,
        needs=(*pairs.makes, *_items(so_far), *(_vectors_of_pool(pairs) if section.keep == "closest_to_mean" else ())),
        after=so_far.sieves(so_far.pool),
        is_sieve=True,
        check_stored="equipoise.stages.deduplicate.groups:check",
        **_made(GROUPS),
    )


def _vectors_of_pool(pairs: Node[Pairs]) -> tuple[Slice, ...]:
    pool = pairs.settings.pool
    return tuple(part for part in pairs.needs if part.table is EMBEDDINGS and part.where[Col.source] in pool)


def _rounds(config: Config, section: Deduplicate, so_far: Graph) -> Node[Rounds]:
    assert section.semdedup is not None
    vectors = vectors_of(so_far, so_far.pool, section.encoder, key=f"{DEDUPLICATE.family}.encoder")
    made = _made(ROUNDS)
    made["makes"] = (*made["makes"], Slice(DUPLICATE_EDGES, {Col.stage: ROUNDS}))
    return Node(
        ROUNDS,
        Rounds(encoder_id=str(vectors[0].where[Col.encoder_id]), threshold=section.above, rule=section.semdedup),
        "equipoise.stages.deduplicate.semdedup:drop",
        sources=so_far.pool,
        needs=(*vectors, *_items(so_far)),
        after=so_far.sieves(so_far.pool),
        is_sieve=True,
        seed=config.seed,
        check_on_spark="equipoise.stages.deduplicate.other_run:check" if section.semdedup.clusters else None,
        check_stored="equipoise.stages.deduplicate.semdedup:check",
        outside="equipoise.stages.deduplicate.other_run:states" if section.semdedup.clusters else None,
        **made,
    )


def _made(name: str) -> dict[str, Any]:
    """What a node makes that decides: those that stay are told, and those that go."""
    kept, dropped = (Slice(DUPLICATES, {Col.stage: name, Col.is_kept: is_kept}) for is_kept in (True, False))
    return {"makes": (kept, dropped, Slice(METRICS, {Col.stage: name})), "drops": dropped}


def _items(so_far: Graph) -> tuple[Slice, ...]:
    return tuple(part for source in so_far.pool for part in so_far.made(POOL, source=source))


def _sets(config: Config) -> Iterable[str]:
    """The sources that are compared with, and never curated.

    Raises:
        ConfigError: there is none of a name, or the pool has it, too.
    """
    section = DEDUPLICATE.of(config)
    names = [source.name for source in config.named_sources]
    sets = section.against.sources if section and section.against else ()
    for name in sets:
        key = f"{DEDUPLICATE.family}.against.sources"
        if name not in names:
            raise ConfigError(f"{key}: there is no source {name!r}; {nearest(name, names)}")
        if sets.count(name) > 1:
            raise ConfigError(f"{key} names {name!r} twice: drop one")
        if name in (config.pool or ()):
            raise ConfigError(f"{key}: {name!r} is curated, as pool says: a set to compare with is not; drop it there")
    if sets and set(names) <= set(sets):
        raise ConfigError(f"{DEDUPLICATE.family}.against.sources names all sources, and none is left to be curated")
    return sets


def _share(text: str) -> float:
    """A share of the items.

    Raises:
        ConfigError: it is none.
    """
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ConfigError(f"{text!r} is no share of the items: give a number above 0 and up to 1")
    return share


def _calibrated(config: Config) -> str:
    """The node that reads what thresholds are tried on.

    Raises:
        ConfigError: SemDeDup has no threshold of the pool.
    """
    section = DEDUPLICATE.of(config)
    if section and section.semdedup:
        raise ConfigError(
            "--calibrate tells what thresholds remove of a whole pool; deduplicate.semdedup removes inside clusters, "
            "in rounds: set deduplicate.semdedup.target_keep, at which its rounds end"
        )
    return PAIRS


DEDUPLICATE: Stage[Deduplicate | None] = Stage(
    FAMILY,
    "find copies of items, and of evaluation sets, and leave them out",
    nodes,
    section=Deduplicate | None,
    tables=(DUPLICATE_EDGES, DUPLICATES),
    refers_to=_sets,
    told="equipoise.stages.deduplicate.told:print_duplicates",
    asks=(
        Question(
            "--calibrate",
            "SHARE",
            "print what thresholds would remove, told from this share of the items of a run; writes nothing",
            "0.1",
            _share,
            _calibrated,
            "equipoise.stages.deduplicate.calibrate:calibrate",
        ),
    ),
    query="select method, is_kept, count(*) as n_items from duplicates where run_id = '{run_id}' "
    "group by method, is_kept",
)
