"""Where the rows of a node went, and who is told while they go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from equipoise.errors import RunError

if TYPE_CHECKING:
    from equipoise.kernels.levels import LevelState


@dataclass(frozen=True)
class Account:
    """``n_in = n_out + n_rejected + sum(drops)``.

    ``n_partitions`` are those that the bits of its result depend on, beside data and seed. ``n_items`` go on from here,
    those of earlier runs included; by default they are ``n_out``.
    """

    n_in: int
    n_out: int
    n_rejected: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    n_partitions: int | None = None
    n_items: int | None = None

    @property
    def n_dropped(self) -> int:
        """Rows that were left out for a reason other than being unusable."""
        return sum(self.drops.values())

    @property
    def goes_on(self) -> int:
        """Items that those who stand on it find."""
        return self.n_out if self.n_items is None else self.n_items

    def check(self, name: str) -> None:
        """Checks that every row is accounted for: that one is not is a fault of the program, or of what it read.

        Raises:
            RunError: one is not.
        """
        told = self.n_out + self.n_rejected + self.n_dropped
        if self.n_in != told:
            raise RunError(
                f"stage {name} took {self.n_in:,} items and accounts for {told:,} ({self.text()}): another run may "
                "have changed what both read; start this one again, and where it stays so, replace what it stands on "
                "by --force"
            )

    def text(self) -> str:
        """In words, without what is none."""
        parts = [f"{self.n_in:,} in", f"{self.n_out:,} out"]
        parts += [f"{self.n_rejected:,} rejected"] if self.n_rejected else []
        parts += [f"{count:,} {reason.replace('_', ' ')}" for reason, count in self.drops.items() if count]
        return ", ".join(parts)


class Progress(Protocol):
    """Who tells the user how far the work is."""

    def message(self, text: str) -> None:
        """One line that stays."""

    def count(self, stage: str, done: int, total: int) -> None:
        """So many items of a stage are done."""

    def iteration(self, number: int, n_levels: int, state: "LevelState") -> None:
        """One k-means iteration of level ``number`` is done."""


class Silent:
    """Tells nobody."""

    def message(self, text: str) -> None:
        """Nothing."""

    def count(self, stage: str, done: int, total: int) -> None:
        """Nothing."""

    def iteration(self, number: int, n_levels: int, state: "LevelState") -> None:
        """Nothing."""


SILENT: Progress = Silent()
