"""What is written of a run: events, of which the newest of a node is its state."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

from equipoise import __version__
from equipoise.config import shown
from equipoise.runs.account import Account
from equipoise.runs.node import Node
from equipoise.schemas import TABLES, Col

RUNNING, DONE, FAILED = "running", "done", "failed"
REPLACED, FORGOTTEN, REMOVED = "replaced", "forgotten", "removed"
"""Its rows go; forgotten: those that other runs share, too; removed: they are gone."""
ORIGIN = "origin:"
"""Of the pin that keeps the place of a source, with a state that is always 0: no part of what a result depends on."""


@dataclass(frozen=True)
class Event:
    """One row of ``runs``, without the run: what a node was and what became of it.

    ``pins`` are versions of tables, states of data outside and the place of a source, before it worked; ``made`` are
    the slices that are its own, by path, with the versions of those that other runs share.
    """

    stage: str
    status: str
    config: str
    fingerprint: str
    seed: int | None
    at: datetime
    stands_on: tuple[str, ...] = ()
    pins: Mapping[str, int] = field(default_factory=dict)
    made: Mapping[str, int | None] = field(default_factory=dict)
    account: Account | None = None
    code_version: str = __version__

    @property
    def outside(self) -> tuple[str, ...]:
        """The data outside whose states were pinned."""
        return tuple(path for path in self.pins if path not in TABLES and not path.startswith(ORIGIN))

    @property
    def has_begun(self) -> bool:
        """Whether some of its rows may be there and stand."""
        return self.status not in (REPLACED, FORGOTTEN, REMOVED)

    @property
    def is_to_go(self) -> bool:
        """Whether rows of it may be left that nobody is to find: who removes them may have been killed."""
        return self.status in (REPLACED, FORGOTTEN)

    def row(self, run_id: str, application_id: str) -> dict[str, Any]:
        """The row of the table ``runs``."""
        account = self.account
        return {
            Col.run_id: run_id,
            Col.stage: self.stage,
            Col.status: self.status,
            Col.config: self.config,
            Col.fingerprint: self.fingerprint,
            Col.seed: self.seed,
            Col.input_versions: dict(self.pins),
            Col.code_version: self.code_version,
            Col.application_id: application_id,
            Col.at: self.at,
            Col.n_in: account.n_in if account else None,
            Col.n_out: account.n_out if account else None,
            Col.n_rejected: account.n_rejected if account else None,
            Col.n_dropped: account.n_dropped if account else None,
            Col.n_partitions: account.n_partitions if account else None,
            Col.drops: dict(account.drops) if account else None,
            Col.n_items: account.goes_on if account else None,
            Col.stands_on: list(self.stands_on),
            Col.made: dict(self.made),
        }


def event_of(row: Mapping[str, Any]) -> Event:
    """The event of a row of ``runs``."""
    account = None
    if row[Col.n_in] is not None:
        n_in, n_out, n_rejected = (row[name] for name in (Col.n_in, Col.n_out, Col.n_rejected))
        account = Account(n_in, n_out, n_rejected, row[Col.drops] or {}, row[Col.n_partitions], row[Col.n_items])
    return Event(
        stage=row[Col.stage],
        status=row[Col.status],
        config=row[Col.config],
        fingerprint=row[Col.fingerprint],
        seed=row[Col.seed],
        at=row[Col.at].astimezone(UTC),  # Spark gives local times
        stands_on=tuple(row[Col.stands_on] or ()),
        pins=row[Col.input_versions] or {},
        made=row[Col.made] or {},
        account=account,
        code_version=row[Col.code_version],
    )


def begun(node: Node[Any], fingerprint: str, stands_on: Sequence[str], pins: Mapping[str, int]) -> Event:
    """The event of a node that starts."""
    return Event(
        stage=node.name,
        status=RUNNING,
        config=json.dumps(shown(node.settings), sort_keys=True, default=str),
        fingerprint=fingerprint,
        seed=node.seed,
        at=datetime.now(UTC),
        stands_on=tuple(stands_on),
        pins=pins,
        made={part.path: None for part in node.makes},
    )


def ended(event: Event, status: str, **changes: Any) -> Event:
    """The event of the same node later."""
    return replace(event, status=status, at=datetime.now(UTC), **changes)


class Record:
    """The newest event of every node of one run."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        """``events`` in any order."""
        self._newest: dict[str, Event] = {}
        for event in sorted(events, key=lambda one: one.at):
            self.add(event)

    def add(self, event: Event) -> None:
        """Takes note of a later event."""
        self._newest[event.stage] = event

    def get(self, name: str) -> Event | None:
        """The newest event of a node; None where it never began."""
        return self._newest.get(name)

    def is_done(self, name: str) -> bool:
        """Whether a node is finished."""
        event = self.get(name)
        return event is not None and event.status == DONE

    @property
    def events(self) -> tuple[Event, ...]:
        """The newest of all nodes, also of those that a config does not name."""
        return tuple(self._newest.values())

    @property
    def edges(self) -> dict[str, tuple[str, ...]]:
        """What the nodes that are there stood on."""
        return {event.stage: event.stands_on for event in self.events if event.has_begun}

    def walk(self) -> dict[str, tuple[str, ...]]:
        """The nodes that are there, each after those that it stood on, but for what these stood on themselves."""
        edges = self.edges
        before: dict[str, set[str]] = {}
        for name in TopologicalSorter(edges).static_order():
            parents = edges.get(name, ())
            before[name] = {*parents, *(one for parent in parents for one in before[parent])}
        implied = {name: {one for parent in parents for one in before[parent]} for name, parents in edges.items()}
        return {name: tuple(one for one in edges[name] if one not in implied[name]) for name in before if name in edges}
