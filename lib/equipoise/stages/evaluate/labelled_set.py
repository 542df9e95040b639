"""The labelled set of the config: read like ready-made vectors, with its labels in the place of their ids."""

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from equipoise.config import EmbeddingsSource, Place
from equipoise.errors import InputError
from equipoise.evaluation.labelled import Labelled, check_bytes
from equipoise.pipeline.items import vector_lengths
from equipoise.schemas import Col
from equipoise.sources.reading import raw_items
from equipoise.stages.evaluate.section import LabelledSet

PLACE = Place("evaluate.labelled", {"ids": "labels", "id": "label"})


def read_labelled(spark: SparkSession, section: LabelledSet) -> Labelled:
    """Reads all of the set to the driver, which a limit bounds.

    Raises:
        InputError: the set cannot be read, is empty, too large for the driver, or its vectors differ in length.
    """
    is_npy = section.path.endswith(".npy")
    source = EmbeddingsSource(
        kind="embeddings",
        path=section.path,
        ids=section.labels if is_npy else None,
        id=None if is_npy else section.label,
        vector=section.vector,
    )
    rows = raw_items(spark, source, PLACE).where(F.col(Col.key).isNotNull() & F.col(Col.embedding).isNotNull())
    lengths = [tuple(row) for row in vector_lengths(rows).take(2)]
    if len(lengths) != 1:
        shown = " and ".join(f"{length} ({count:,} rows)" for length, count in lengths) or "none"
        raise InputError(f"{PLACE.key('path')} {section.path}: the vectors must have one length; there are {shown}")
    check_bytes(lengths[0][1], lengths[0][0])
    found = rows.select(Col.key, Col.embedding).toPandas()  # bounded by the check before
    labels = found[Col.key].to_numpy(dtype=str)
    return Labelled(np.stack(found[Col.embedding].to_list()).astype(np.float32), labels, section.k)
