"""Which benchmarks say whether curation helped: labelled vectors and galleries of several models."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from equipoise.config.sections import HOW, Name, Section

AVERAGE = "average"
"""What metrics call the average over benchmarks."""


class FeatureBenchmark(Section):
    """Train and test items of one benchmark: for every model the table (or ``.npz``) with the vectors it made of them.

    The column ``split`` says ``train`` or ``test``; other rows are left out. With the column ``id`` models are compared
    item by item: on the same draws, and only where all have the same items. ``groups`` are columns by whose values the
    accuracy is also told.
    """

    name: Name
    models: Annotated[dict[Name, str], Field(min_length=1)]
    split: str = "split"
    label: str = "label"
    vector: str = "embedding"
    id: str | None = None
    groups: tuple[str, ...] = ()


class RetrievalTables(Section):
    """The vectors that one model made of the queries, and of the gallery that they are sought in."""

    queries: str
    gallery: str

    @property
    def both(self) -> tuple[str, str]:
        """The two."""
        return self.queries, self.gallery


class RetrievalBenchmark(Section):
    """Queries and what they should find: items with their ``pair`` id, or lists of the gallery's ids.

    Lists are columns of the queries' table: ``positives``, or ``easy`` and ``hard`` as for Revisited Oxford and Paris;
    the items in ``junk`` count neither way. ``both_directions``: the gallery's items are sought among the queries, too.
    ``groups`` are columns of the queries by whose values recall and precision are also told. ``shows`` is a column of
    both tables: the path or uri of a picture, or a text, by which failures are looked at.
    """

    name: Name
    models: Annotated[dict[Name, RetrievalTables], Field(min_length=1)]
    id: str = "id"
    vector: str = "embedding"
    pair: str | None = None
    positives: str | None = None
    easy: str | None = None
    hard: str | None = None
    junk: str | None = None
    both_directions: bool = False
    groups: tuple[str, ...] = ()
    shows: str | None = None

    @property
    def lists(self) -> dict[str, str]:
        """The columns with lists of ids, by key."""
        named = {"positives": self.positives, "easy": self.easy, "hard": self.hard, "junk": self.junk}
        return {key: column for key, column in named.items() if column is not None}

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        graded = [column is not None for column in (self.easy, self.hard)]
        if (self.pair is not None) + (self.positives is not None) + any(graded) != 1 or any(graded) != all(graded):
            raise ValueError(f"benchmark {self.name!r} needs one of pair, positives, and both of easy and hard")
        if self.junk is not None and self.pair is not None:
            raise ValueError(f"benchmark {self.name!r}: junk goes with lists; drop it, or give positives for pair")
        if self.both_directions and any(graded):
            raise ValueError(f"benchmark {self.name!r}: easy and hard are defined for queries alone: one direction")
        return self


class Benchmark(Section):
    """What is run on frozen features.

    ``driver_bytes`` limits the vectors of one table, which are worked on by one machine; ``rounds`` are those of the
    bootstrap, ``failures`` the worst retrievals that are kept of each model.
    """

    features: tuple[FeatureBenchmark, ...] = ()
    retrieval: tuple[RetrievalBenchmark, ...] = ()
    probe: bool = True
    rounds: Annotated[int, Field(gt=0, le=1_000_000)] = 1000
    failures: Annotated[int, Field(ge=0, le=10_000)] = 20
    driver_bytes: Annotated[float, Field(gt=0, le=1e18), HOW] = 1e9

    @property
    def entries(self) -> tuple[FeatureBenchmark | RetrievalBenchmark, ...]:
        """All benchmarks."""
        return (*self.features, *self.retrieval)

    @property
    def paths(self) -> list[str]:
        """All tables and files, each once."""
        found = [path for entry in self.features for path in entry.models.values()]
        found += [path for entry in self.retrieval for one in entry.models.values() for path in one.both]
        return list(dict.fromkeys(found))

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [entry.name for entry in self.entries]
        if not names:
            raise ValueError("benchmark needs an entry: add features or retrieval")
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"benchmark has {names.count(name)} entries named {name!r}; names must differ")
        if AVERAGE in names:
            raise ValueError(f"a benchmark named {AVERAGE!r} cannot be told from their average: take another name")
        return self
