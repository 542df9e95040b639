"""The labelled set of the config: read like ready-made vectors, with its labels in the place of their ids."""

from functools import partial

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.evaluation.labelled import Labelled, check_bytes
from equipoise.pipeline.items import vector_lengths
from equipoise.runs.context import Context
from equipoise.schemas import Col
from equipoise.sources.reading import raw_items, read_carefully
from equipoise.sources.states import state_of
from equipoise.stages.evaluate import Judged
from equipoise.stages.evaluate.check import PLACE, as_source
from equipoise.stages.evaluate.section import LabelledSet


def states(context: Context, settings: Judged) -> dict[str, int | None]:
    """The state of the set and of its labels, by path."""
    section = settings.section.labelled
    paths = (section.path, section.labels) if section else ()
    return {path: state_of(context.spark, path) for path in paths if path is not None}


def read_labelled(spark: SparkSession, section: LabelledSet) -> Labelled:
    """Reads all of the set to the driver, which a limit bounds.

    Raises:
        InputError: the set cannot be read, is empty, too large for the driver, or its vectors differ in length.
    """
    return read_carefully(as_source(section), partial(_read, spark, section))


def _read(spark: SparkSession, section: LabelledSet, is_careful: bool) -> Labelled:
    is_whole = F.col(Col.key).isNotNull() & F.col(Col.embedding).isNotNull()
    rows = raw_items(spark, as_source(section), PLACE, is_careful=is_careful).where(is_whole)
    lengths = [tuple(row) for row in vector_lengths(rows).take(2)]
    if len(lengths) != 1:
        shown = " and ".join(f"{length} ({count:,} rows)" for length, count in lengths) or "none"
        raise InputError(f"{PLACE.key('path')} {section.path}: the vectors must have one length; there are {shown}")
    check_bytes(lengths[0][1], lengths[0][0])
    found = rows.select(Col.key, Col.embedding).toPandas()  # bounded by the check before
    labels = found[Col.key].to_numpy(dtype=str)
    return Labelled(np.stack(found[Col.embedding].to_list()).astype(np.float32), labels, section.k)
