"""Which benchmarks say whether curation helped: labelled vectors and galleries of several models."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from equipoise.config.sections import HOW, Name, Section

AVERAGE = "average"
"""What metrics call the average over benchmarks; that of a family is ``average:FAMILY``."""
TRAIN, TEST = "train", "test"


class FeatureTest(Section):
    """One of several test sets that are asked of the same fitted classifier.

    Its items are those of ``split``, by default the test set's own name. What is right for them is the benchmark's
    ``label``, or in another column: one text in ``label``, or in ``labels`` a list of which each is right (items with
    an empty one are left out). With ``own_classes`` only its own classes are predicted.
    """

    split: str | None = None
    label: str | None = None
    labels: str | None = None
    own_classes: bool = False
    family: Name | None = None

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        if self.label is not None and self.labels is not None:
            raise ValueError("label is one right class, labels a list of them: give one of the two")
        return self


class FeatureBenchmark(Section):
    """Train and test items of one benchmark: for every model the table (or ``.npz``) with the vectors it made of them.

    The column ``split`` says ``train`` or ``test``; other rows are left out. ``tests`` are test sets by name, in the
    place of ``test``. With the column ``id`` models are compared item by item: on the same draws, and only where all
    have the same items. ``groups`` are columns by whose values scores are also told. With the column ``image``
    rows are pixels or patches of it: mean IoU is told, not accuracy. ``family`` is what it is averaged with.
    """

    name: Name
    models: Annotated[dict[Name, str], Field(min_length=1)]
    split: str = "split"
    label: str = "label"
    vector: str = "embedding"
    id: str | None = None
    image: str | None = None
    groups: tuple[str, ...] = ()
    tests: dict[Name, FeatureTest] = Field(default_factory=dict)
    family: Name | None = None

    @property
    def asked(self) -> dict[str, FeatureTest]:
        """The test sets by the name that their scores have in ``metrics``."""
        if not self.tests:
            return {self.name: FeatureTest(split=TEST, family=self.family)}
        return {
            f"{self.name}:{name}": test.model_copy(
                update={"split": test.split or name, "family": test.family or self.family}
            )
            for name, test in self.tests.items()
        }

    @property
    def lists(self) -> dict[str, str]:
        """The columns with lists of labels, by key."""
        return {f"tests.{name}.labels": test.labels for name, test in self.tests.items() if test.labels is not None}

    @property
    def families(self) -> dict[str, str | None]:
        """What each part of the benchmark is averaged with, by its name in ``metrics``."""
        return {name: test.family for name, test in self.asked.items()}

    @model_validator(mode="after")
    def _tests_fit(self) -> Self:
        for name, test in self.tests.items():
            if (test.split or name) == TRAIN:
                raise ValueError(f"benchmark {self.name!r}, tests.{name}: {TRAIN!r} is what is fitted, take other rows")
        if self.image is not None and self.lists:
            raise ValueError(f"benchmark {self.name!r}: rows of an image have one class each; drop image or labels")
        return self


class RegressionBenchmark(Section):
    """What is measured of train and test items, and predicted from their vectors by ridge regression.

    ``target`` is the column with the number. With the column ``block`` R2 is also told of the means of blocks, and
    whole ones are held out. All else is as of features.
    """

    name: Name
    models: Annotated[dict[Name, str], Field(min_length=1)]
    split: str = "split"
    target: str = "target"
    vector: str = "embedding"
    id: str | None = None
    block: str | None = None
    groups: tuple[str, ...] = ()
    family: Name | None = None

    @property
    def lists(self) -> dict[str, str]:
        """None: no column holds lists."""
        return {}

    @property
    def families(self) -> dict[str, str | None]:
        """What it is averaged with."""
        return {self.name: self.family}


class AnswerBenchmark(Section):
    """Answers in a few words that models gave elsewhere: for every model the table with what it said of each question.

    ``answer`` is the column with its text, null where it gave none; ``correct`` has the right one, or a list of them.
    """

    name: Name
    models: Annotated[dict[Name, str], Field(min_length=1)]
    answer: str = "answer"
    correct: str = "correct"
    id: str | None = None
    groups: tuple[str, ...] = ()
    family: Name | None = None

    @property
    def lists(self) -> dict[str, str]:
        """The column with the right answers: one text is a list of one."""
        return {"correct": self.correct}

    @property
    def families(self) -> dict[str, str | None]:
        """What it is averaged with."""
        return {self.name: self.family}


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
    family: Name | None = None

    @property
    def families(self) -> dict[str, str | None]:
        """What it is averaged with; the other direction counts in no average."""
        return {self.name: self.family}

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


Entry = FeatureBenchmark | RegressionBenchmark | AnswerBenchmark | RetrievalBenchmark


class Benchmark(Section):
    """What is run on frozen features, and on answers.

    ``driver_bytes`` limits the vectors of one table, which are worked on by one machine; ``rounds`` are those of the
    bootstrap, ``failures`` the worst retrievals that are kept of each model.
    """

    features: tuple[FeatureBenchmark, ...] = ()
    regression: tuple[RegressionBenchmark, ...] = ()
    answers: tuple[AnswerBenchmark, ...] = ()
    retrieval: tuple[RetrievalBenchmark, ...] = ()
    probe: bool = True
    rounds: Annotated[int, Field(gt=0, le=1_000_000)] = 1000
    failures: Annotated[int, Field(ge=0, le=10_000)] = 20
    driver_bytes: Annotated[float, Field(gt=0, le=1e18), HOW] = 1e9

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All benchmarks."""
        return (*self.features, *self.regression, *self.answers, *self.retrieval)

    @property
    def paths(self) -> list[str]:
        """All tables and files, each once."""
        tables = [path for entry in self.entries for path in entry.models.values()]
        found = [path for one in tables for path in ((one,) if isinstance(one, str) else one.both)]
        return list(dict.fromkeys(found))

    @property
    def averages(self) -> dict[str, list[str]]:
        """What is averaged, by the name that the average has in ``metrics``: all benchmarks, and those of a family."""
        families = {name: family for entry in self.entries for name, family in entry.families.items()}
        known = dict.fromkeys(family for family in families.values() if family is not None)
        of_each = {f"{AVERAGE}:{family}": [name for name, own in families.items() if own == family] for family in known}
        return {AVERAGE: list(families), **of_each}

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [entry.name for entry in self.entries]
        if not names:
            raise ValueError("benchmark needs an entry: add features, regression, answers or retrieval")
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"benchmark has {names.count(name)} entries named {name!r}; names must differ")
        if AVERAGE in names:
            raise ValueError(f"a benchmark named {AVERAGE!r} cannot be told from their average: take another name")
        return self
