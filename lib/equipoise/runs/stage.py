"""A family of nodes: one job, one command, one section of the config."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from equipoise.config import Config
from equipoise.runs.question import Question
from equipoise.schemas import Table

if TYPE_CHECKING:
    from equipoise.runs.graph import Graph
    from equipoise.runs.node import Node

S = TypeVar("S")


def _none(config: Config) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Stage(Generic[S]):
    """What the registry lists.

    Attributes:
        family: ``jobs/FAMILY.py``, ``equipoise FAMILY``, what ``--force`` takes, the key of its section.
        meaning: one line for ``--help``.
        nodes: from a config and the graph of the stages before it, its own.
        section: the type of its section; None where the config's header has what it needs.
        default: the section where the file has none.
        tables: what its nodes make, so that a message can say which section is missing.
        refers_to: sources that it uses for another purpose than to be curated: as seeds, or to compare with.
        told: ``module:function``, (RunTables, Console) -> None: what a job of it prints at its end.
        key: of its section, where that is not the family's name.
        query: SQL over what it makes, with ``{run_id}``: the next thing to look at.
        idle: what to say where its section is there and makes no node.
        asks: what its command answers in the place of working.
        on_request: no part of ``curate``: it has a job of its own alone.
    """

    family: str
    meaning: str
    nodes: "Callable[[Config, Graph], Iterable[Node[Any]]]"
    section: Any = None
    default: Any = None
    tables: tuple[Table, ...] = ()
    refers_to: Callable[[Config], Iterable[str]] = _none
    told: str | None = None
    query: str | None = None
    idle: str | None = None
    on_request: bool = False
    key: str | None = None
    asks: tuple[Question, ...] = ()

    def of(self, config: Config) -> S:
        """Its section of a config."""
        section: S = getattr(config, self.family)
        return section
