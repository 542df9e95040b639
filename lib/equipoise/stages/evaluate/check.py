"""What can be said of a labelled set before Spark starts: it is read like ready-made vectors."""

from equipoise.config import EmbeddingsSource, Place
from equipoise.sources.local import check_source
from equipoise.stages.evaluate import Judged
from equipoise.stages.evaluate.section import Evaluate, LabelledSet

PLACE = Place("evaluate.labelled", {"ids": "labels", "id": "label"})


def check(settings: Judged) -> None:
    """Checks that what lies on this machine of the labelled set is there.

    Raises:
        InputError: it is not, or cannot be read.
    """
    check_labelled(settings.section)


def check_labelled(section: Evaluate) -> None:
    """Checks the labelled set of a section, if it has one.

    Raises:
        InputError: what lies on this machine of it is not there, or cannot be read.
    """
    if section.labelled:
        check_source(as_source(section.labelled), PLACE)


def as_source(section: LabelledSet) -> EmbeddingsSource:
    """The set as vectors with its labels in the place of their ids."""
    is_npy = section.path.endswith(".npy")
    return EmbeddingsSource(
        kind="embeddings",
        path=section.path,
        ids=section.labels if is_npy else None,
        id=None if is_npy else section.label,
        vector=section.vector,
    )
