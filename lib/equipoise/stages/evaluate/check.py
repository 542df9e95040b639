"""What can be said of a labelled set before Spark starts: it is read like ready-made vectors."""

from equipoise.config import EmbeddingsSource, Place
from equipoise.errors import InputError
from equipoise.pipeline.locating import local_path
from equipoise.sources.local import check_source
from equipoise.sources.npy import open_vectors
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
        InputError: what lies on this machine of it is not there, cannot be read, or has fewer vectors than vote.
    """
    if section.labelled:
        source = as_source(section.labelled)
        check_source(source, PLACE)
        _check_k(source, section.labelled.k)


def _check_k(source: EmbeddingsSource, k: int) -> None:
    """Of a table only Spark knows how many rows it has."""
    is_here = source.is_npy and local_path(source.path) is not None
    n_rows = open_vectors(source.path, PLACE).shape[0] if is_here else k
    if k > n_rows:
        raise InputError(f"{PLACE.key('k')}: {k}, and {source.path} has {n_rows:,} vectors: lower it")


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
