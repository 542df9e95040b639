"""Where a section stands in the user's file: what a message calls its keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A section; ``aliases`` are keys that are called otherwise there."""

    section: str
    aliases: Mapping[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """A key of the section, dotted: ``sources.web.path``."""
        first, dot, rest = name.partition(".")
        return f"{self.section}.{self.aliases.get(first, first)}{dot}{rest}"

    def __str__(self) -> str:
        return self.section


class BarePlace(Place):
    """A section whose keys go without it: who catches the error says where it is."""

    def key(self, name: str) -> str:
        """The key alone."""
        return name
