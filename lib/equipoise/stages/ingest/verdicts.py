"""The items of a source with their verdicts, and what makes a source unusable as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.pipeline.items import OF_VECTORS, other_ids, vector_lengths
from equipoise.pipeline.reasons import DAMAGED_FILE
from equipoise.runs.context import Context
from equipoise.schemas import EMBEDDINGS, POOL, Col, Slice
from equipoise.sources.reading import nothing_found
from equipoise.stages.ingest import Ingestion

OWN, SHARED = "own", "shared"
REFUSE = "refuse"
_MOST_NAMED = 3


@dataclass(frozen=True)
class Verdicts:
    """The items of the source with their verdicts, counted by reason; ``since`` is the pool's version before.

    ``passed``: files that are no items, by kind.
    """

    items: DataFrame
    counts: Mapping[str | None, Row]
    since: int | None
    passed: Mapping[str, int] = field(default_factory=dict)

    def count(self, reason: str | None) -> int:
        """Items with a reason; None: those that are new."""
        row = self.counts.get(reason)
        return int(row[Col.n_items]) if row else 0

    @property
    def n_changed(self) -> int:
        """Items that the pool held otherwise."""
        return sum(int(row[Col.n_changed]) for row in self.counts.values())

    @property
    def lengths(self) -> tuple[int, int] | None:
        """The shortest and the longest of the vectors that can be used; None without any."""
        rows = [row for reason, row in self.counts.items() if row[Col.longest] is not None and reason not in OF_VECTORS]
        return (min(row[Col.shortest] for row in rows), max(row[Col.longest] for row in rows)) if rows else None

    @property
    def total(self) -> int:
        """All items."""
        return sum(int(row[Col.n_items]) for row in self.counts.values())


def check(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    """Refuses a source as a whole.

    Raises:
        InputError: it is empty, has damaged files that are not to be skipped, ids that are another source's or another
            space's, or vectors of another length than before.
    """
    place = Place(settings.place)
    if not judged.total:
        raise InputError(nothing_found(settings.source, place, judged.passed))
    if judged.count(DAMAGED_FILE) and settings.source.damaged == REFUSE:
        raise InputError(_damaged(settings, judged))
    n_foreign = sum(int(row[Col.n_clashes]) for row in judged.counts.values())
    if n_foreign and id_space(settings) == SHARED:
        example = next(row[Col.given_id] for row in judged.counts.values() if row[Col.n_clashes])
        raise InputError(
            f"source {settings.name!r}: {n_foreign:,} of its {judged.total:,} ids are those of another source's items "
            f"in the pool, {example} for one; {place.key('id_space')}: own gives this source a space of its own, "
            "by hashes of source and id"
        )
    if judged.since is not None and judged.count(None) and id_space(settings) is not None:
        _check_space(context, settings, judged)
    if settings.encoder_id is not None:
        _check_length(context, settings, judged)


def _damaged(settings: Ingestion, judged: Verdicts) -> str:
    files = judged.items.where(F.col(Col.reason) == DAMAGED_FILE).select(Col.uri, Col.detail).orderBy(Col.uri)
    count = judged.count(DAMAGED_FILE)
    named = "; ".join(f"{uri} ({detail})" for uri, detail in files.take(_MOST_NAMED))
    more = f"; and {count - _MOST_NAMED:,} more" if count > _MOST_NAMED else ""
    return (
        f"source {settings.name!r}: {count:,} of its files cannot be read: {named}{more}; write them "
        f"anew or take them away, or have them rejected by {Place(settings.place).key('damaged')}: skip"
    )


def _check_space(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    """An item that comes by its other id would be there twice."""
    is_own = id_space(settings) == OWN
    held = context.workspace.read(context.own(POOL), judged.since)
    n_twice = held.join(other_ids(judged.items, settings.name, is_own_space=is_own), Col.item_id, "left_semi").count()
    if n_twice:
        key = Place(settings.place).key("id_space")
        raise InputError(
            f"source {settings.name!r}: the pool has {n_twice:,} of its items by the ids of {key}: "
            f"{SHARED if is_own else OWN}, and by {OWN if is_own else SHARED} they would be there twice: keep that, "
            "give the source another name, or have its items forgotten and read anew by --force ingest"
        )


def common_length(settings: Ingestion, judged: Verdicts) -> int | None:
    """The length that more than half of the vectors have, where not all have it; None where they do.

    Raises:
        InputError: no length is that of more than half: which of them is meant cannot be told.
    """
    if judged.lengths is None or judged.lengths[0] == judged.lengths[1]:
        return None
    usable = judged.items.where(~F.coalesce(F.col(Col.reason), F.lit("")).isin(*OF_VECTORS))
    found = [tuple(row) for row in vector_lengths(usable).take(3)]
    if 2 * found[0][1] > usable.where(F.col(Col.embedding).isNotNull()).count():
        return int(found[0][0])
    shown = ", ".join(f"{length} ({count:,} rows)" for length, count in found)
    raise InputError(
        f"{_whose(settings)} differ in length: {shown}; no length is that of more than half, and all vectors of a "
        "source must come from one encoder"
    )


def _check_length(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    if judged.lengths is None or not context.workspace.exists(EMBEDDINGS):
        return
    of_encoder = Slice(EMBEDDINGS, {Col.encoder_id: str(settings.encoder_id)})
    before = context.workspace.read(of_encoder).select(F.size(Col.embedding)).first()
    length = judged.lengths[1]
    if before is not None and before[0] != length:
        n_rows = sum(int(row[Col.n_items]) for row in judged.counts.values() if row[Col.longest] == length)
        raise InputError(
            f"{_whose(settings)} have length {length} ({n_rows:,} rows), those from before have {before[0]}; "
            f"where another model made these, name it by {Place(settings.place).key('encoder')}"
        )


def _whose(settings: Ingestion) -> str:
    return f"source {settings.name!r}: the vectors of {settings.source.path}"


def id_space(settings: Ingestion) -> str | None:
    """Where whole-number ids of the source live; None where its kind has none."""
    return getattr(settings.source, "id_space", None)
