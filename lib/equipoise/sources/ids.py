"""Ids that a source brings: whole numbers are items' ids themselves."""

from pyspark.sql import Column
from pyspark.sql import functions as F

SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""Bounds of a BIGINT."""


def whole_number(text: Column) -> Column:
    """The BIGINT that a string spells in its plain form, else null: ``7``, neither ``07`` nor ``7.0``.

    Every BIGINT is one; what is beyond its bounds, as uint64 may be, is a text like any other.
    """
    plain = F.when(text.rlike(r"\A(0|-?[1-9][0-9]{0,18})\z"), text).cast("decimal(19,0)")
    return F.when(plain.between(F.lit(SMALLEST), F.lit(LARGEST)), plain).cast("bigint")
