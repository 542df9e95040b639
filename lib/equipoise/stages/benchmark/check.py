"""What can be said of a benchmark before Spark starts."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from equipoise.config.places import BarePlace
from equipoise.errors import InputError
from equipoise.sources.local import check_path
from equipoise.stages.benchmark.section import Benchmark

NPZ = ".npz"
PLACE = BarePlace("benchmark")


def check(settings: Benchmark) -> None:
    """Checks that the vectors that lie on this machine are there.

    Raises:
        InputError: they are not, or cannot be read; a file of arrays is asked for lists.
    """
    for entry in settings.entries:
        for model, found in entry.models.items():
            with named_problems(entry.name, model):
                for path in (found,) if isinstance(found, str) else found.both:
                    check_lists(path, entry.lists)
                    check_path(path, PLACE.key("path"), is_table=not path.endswith(NPZ))


def check_lists(path: str, keys: Collection[str]) -> None:
    """Checks that a file of arrays is not asked for lists.

    Raises:
        InputError: it is.
    """
    if path.endswith(NPZ) and keys:
        raise InputError(
            f"{path} cannot hold {', '.join(keys)}: lists differ in length, which arrays do not; "
            "write a Parquet or Delta table"
        )


@contextmanager
def named_problems(entry: str, model: str) -> Iterator[None]:
    """Every message begins with benchmark and model."""
    try:
        yield
    except InputError as error:
        raise InputError(f"benchmark {entry}, models.{model}: {error}") from error
