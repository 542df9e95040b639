"""What can be said of a source before Spark starts."""

from equipoise.config import Place
from equipoise.sources.local import check_source
from equipoise.stages.ingest import Ingestion


def check(settings: Ingestion) -> None:
    """Checks that what lies on this machine is there.

    Raises:
        InputError: it is not, or cannot be read.
    """
    check_source(settings.source, Place(settings.place))
