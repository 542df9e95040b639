"""One item, as pages show it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item as it is shown: WebP ``thumbnail`` or text ``snippet``; ``copies`` in the first selection.

    Its id is a number in a pool, in a benchmark any text.
    """

    item_id: int | str
    key: str | None = None
    thumbnail: bytes | None = None
    snippet: str | None = None
    label: str | None = None
    uri: str | None = None
    copies: int = 0
    distance_sq: float | None = None

    @property
    def name(self) -> str:
        """What its owner calls it, else the pool."""
        return self.key if self.key and self.key != str(self.item_id) else f"item {self.item_id}"
