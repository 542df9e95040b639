"""Which items are copies of others, and which of them stays."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from equipoise.config.sections import HOW, Count, Section

Cosine = Annotated[float, Field(ge=-1, le=1)]
Name = Annotated[str, Field(min_length=1)]
KINDS_OF_RULES = {"largest_image": "images", "longest_text": "texts"}
"""What the rules of which item stays compare, where that is not in every pool."""


class ByAttribute(Section):
    """Of a group the item stays whose source says the most by this attribute."""

    attribute: Name


class Against(Section):
    """Sources that are never curated: what is like one of their items goes, with its whole group (DINOv2)."""

    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    threshold: Cosine = 0.45


class ClustersOfRun(Section):
    """Clusters that are there: those of the items of a finished run of the same workspace, its level 1."""

    run: Name


class SemDedup(Section):
    """SemDeDup: copies are looked for inside clusters alone, in rounds that cluster what is left.

    Attributes:
        form: ``groups`` ("Less is More?"): of items that hang together the one least like its centroid stays.
            ``ranked`` (Abbas et al. 2023): an item goes when one before it is above the threshold.
        order: who comes before, by the distance to the centroid.
        k: clusters of the first round; 1: none, all items are one cluster.
        clusters: in place of k, in the first round; those after it, if any, cluster what is left into k.
        rounds: at most.
        smallest_mean: items a cluster, on average, below which k falls with what is left.
        target_keep: rounds end when so many are left.
        iterations: of every k-means, at most.
    """

    form: Literal["groups", "ranked"] = "groups"
    order: Literal["descending", "ascending", "random"] = "descending"
    k: Annotated[int | None, Field(ge=1, le=10_000_000)] = None
    clusters: ClustersOfRun | None = None
    rounds: Annotated[int, Field(ge=1, le=1000)] = 1
    smallest_mean: Count | None = None
    target_keep: Count | None = None
    iterations: Annotated[int, Field(ge=1, le=1000)] = 20

    @model_validator(mode="after")
    def _every_round_has_clusters(self) -> Self:
        if self.k is None and self.clusters is None:
            raise ValueError("k is missing: say how many clusters, or by clusters: {run: ID} whose to use")
        if self.k is None and self.rounds > 1:
            raise ValueError(
                f"k is missing: clusters are those of a run in the first round alone, and {self.rounds - 1:,} more "
                "cluster what is left: add k, or set rounds: 1"
            )
        if self.k is not None and self.clusters is not None and self.rounds == 1:
            raise ValueError("k and clusters are both there, and the only round takes one of them: drop the other")
        return self

    @model_validator(mode="after")
    def _order_is_of_ranks(self) -> Self:
        if self.form == "groups" and self.order != "descending":
            raise ValueError(f"order: {self.order} goes with form: ranked; of a group the farthest stays: drop one")
        return self


class Deduplicate(Section):
    """Copies in the pool, and of evaluation sets; ``encoder`` names whose vectors, where there are several.

    Attributes:
        threshold: pairs with a cosine above it are copies.
        stored_above: pairs down to it are stored, so that a lower threshold needs no vectors; absent: the threshold.
        neighbours: of every item at most so many pairs, the nearest.
        exact_limit: up to so many items all pairs are found; above, those of ``probes`` neighbouring clusters.
        task_bytes: memory of a task that holds items against others, about, beside what Python takes; very many items
            need more.
        exact_copies: what is found without vectors: equal pixels or texts (``contents``, which reads all items once
            more), equal files (``files``), or nothing.
        keep: which item of a group stays.
        target_keep: in place of the threshold: the one above which about so many stay.
        against: sets whose likes go.
        semdedup: another method, in the place of all of this but the threshold.
    """

    encoder: Annotated[str | None, HOW] = None
    threshold: Cosine | None = None
    stored_above: Cosine | None = None
    neighbours: Annotated[int, Field(ge=1, le=100_000)] = 64
    exact_limit: Annotated[int, Field(ge=0, le=2**31)] = 5_000_000
    probes: Annotated[int, Field(ge=1, le=8192)] = 16
    task_bytes: Annotated[float, Field(ge=2**20, le=1e12)] = 256 * 2**20
    exact_copies: Literal["contents", "files", "none"] = "files"
    keep: Literal["lowest_id", "largest_image", "longest_text", "closest_to_mean"] | ByAttribute = "lowest_id"
    target_keep: Count | None = None
    against: Against | None = None
    semdedup: SemDedup | None = None

    @property
    def above(self) -> float:
        """The threshold, by default that of the method: DINOv2's .6, SemDeDup's .8."""
        default = 0.8 if self.semdedup else 0.6
        return default if self.threshold is None else self.threshold

    @property
    def floor(self) -> float:
        """The lowest cosine of the pairs that are stored."""
        return self.above if self.stored_above is None else self.stored_above

    @model_validator(mode="after")
    def _stored_pairs_suffice(self) -> Self:
        if self.floor > self.above:
            raise ValueError(
                f"stored_above: {self.floor:g} is above the threshold, {self.above:g}: pairs between them would be "
                "missing; store from the threshold or from below it"
            )
        return self

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        apart = {"encoder", "threshold", "semdedup"}
        others = [name for name in type(self).model_fields if name in self.model_fields_set - apart]
        if self.semdedup and others:
            raise ValueError(f"{others[0]} does not go with semdedup, which has rules of its own: drop one of the two")
        return self
