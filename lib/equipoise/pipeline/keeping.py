"""Which item of a group of duplicates stays: by what it is, never by chance."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.pipeline.means import distances_to_means
from equipoise.schemas import Col

LARGEST, LONGEST, LOWEST, CLOSEST = "largest_image", "longest_text", "lowest_id", "closest_to_mean"
KEEP = (LARGEST, LONGEST, LOWEST, CLOSEST)
PREFERENCE = "preference"
_PLACE = "place"
_DECIMALS = 6  # of distances: vectors of one direction and several lengths are as close as each other


@dataclass(frozen=True)
class Keep:
    """The rule for the item that stays: one of :data:`KEEP`, or an attribute of the source, its highest value first.

    ``largest_image``: width x height, then bytes. ``longest_text``: bytes. ``closest_to_mean``: of the component's
    vectors, each of unit length. Ties, and what lacks the value, go to the lowest id.

    Raises:
        ConfigError: not exactly one of both, or no such rule.
    """

    rule: str | None = None
    attribute: str | None = None

    def __post_init__(self) -> None:
        if (self.rule is None) == (self.attribute is None):
            raise ConfigError(f"keep is {self.rule!r} and attribute is {self.attribute!r}: give exactly one of them")
        if self.rule is not None and self.rule not in KEEP:
            raise ConfigError(f"keep is {self.rule!r}; it must be one of {', '.join(KEEP)}")

    @property
    def needs_vectors(self) -> bool:
        """Whether the items' vectors decide."""
        return self.rule == CLOSEST


def with_preference(
    members: DataFrame, keep: Keep, *, items: DataFrame | None = None, vectors: DataFrame | None = None
) -> DataFrame:
    """Say how much is in favour of every member of a component.

    Args:
        members: item_id, component_id BIGINT.
        keep: the rule.
        items: rows of the pool, where the rule looks at them: item_id, and width, height and bytes or attributes.
        vectors: item_id, embedding, where it looks at those: only the ones of members are read.

    Returns:
        item_id, component_id, preference STRUCT: the member with the greatest stays.
    """
    if keep.rule == LOWEST:
        return members.select(Col.item_id, Col.component_id, F.struct(F.lit(0)).alias(PREFERENCE))
    if keep.needs_vectors:
        assert vectors is not None, "the rule looks at vectors"
        groups = members.select(Col.item_id, F.col(Col.component_id).alias(Col.cluster_id))
        near = F.round(-F.col(Col.distance_sq), _DECIMALS)
        facts = distances_to_means(groups, vectors).select(Col.item_id, near.alias(_PLACE))
        sizes = members.groupBy(Col.component_id).agg(F.count("*").alias(Col.n_items))
        # Two are as close to their mean as each other: what rounding says of them is chance.
        place = F.when(F.col(Col.n_items) > 2, F.col(_PLACE))
        beside = members.join(facts, Col.item_id, "left").join(sizes, Col.component_id, "inner")
        return beside.select(Col.item_id, Col.component_id, F.struct(place).alias(PREFERENCE))
    assert items is not None, "the rule looks at items"
    facts = items.select(Col.item_id, F.struct(*_facts(keep)).alias(PREFERENCE))
    return members.join(facts, Col.item_id, "left").select(Col.item_id, Col.component_id, PREFERENCE)


def preferred(preference: Column) -> Column:
    """Aggregate a component to the id of the member that stays: the greatest preference, then the lowest id."""
    best = F.max(
        F.struct(preference, F.bitwise_not(F.col(Col.item_id)).alias(_PLACE))
    )  # ~id falls, and never overflows
    return F.bitwise_not(best.getField(_PLACE))


def _facts(keep: Keep) -> list[Column]:
    by_rule: Mapping[str | None, list[Column]] = {
        LARGEST: [F.col(Col.width).cast("bigint") * F.col(Col.height), F.col(Col.n_bytes)],
        LONGEST: [F.col(Col.n_bytes)],
    }
    return by_rule[keep.rule] if keep.rule else _by_value(F.col(Col.attributes).getItem(F.lit(keep.attribute)))


def _by_value(value: Column) -> list[Column]:
    """Numbers before texts, each by their order; what is missing last."""
    number = _number(value)
    return [number.isNotNull(), number, F.when(number.isNull(), value)]


def _number(value: Column) -> Column:
    """The value as a number that has an order; null for texts. A cast that fails is an error in Spark's ANSI mode."""
    looks = value.rlike(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
    return F.when(looks, value.cast("double"))
