"""What can be said of a benchmark before Spark starts."""

from collections.abc import Iterator
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
        InputError: they are not, or cannot be read.
    """
    for entry in settings.entries:
        for model, found in entry.models.items():
            with named_problems(entry.name, model):
                for path in (found,) if isinstance(found, str) else found.both:
                    check_path(path, PLACE.key("path"), is_table=not path.endswith(NPZ))


@contextmanager
def named_problems(entry: str, model: str) -> Iterator[None]:
    """Every message begins with benchmark and model."""
    try:
        yield
    except InputError as error:
        raise InputError(f"benchmark {entry}, models.{model}: {error}") from error
