"""What follows from a graph and a record: a pure function, the one truth of jobs, refusals, ``graph`` and ``next``."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from equipoise.config import shown
from equipoise.errors import RunError
from equipoise.runs.graph import AnyNode, Graph
from equipoise.runs.record import DONE, Event, Record

Outside = Mapping[str, int | None]


class State(Enum):
    """What is to be done with a node."""

    DONE = "done"
    TO_DO = "to do"
    CONTINUE = "to go on with"
    AGAIN = "to do again"
    REFUSED = "refused"


@dataclass(frozen=True)
class Step:
    """A node, what is to be done with it, and why; ``outside`` are the states that its fingerprint has."""

    node: AnyNode
    state: State
    why: str
    fingerprint: str
    outside: Mapping[str, int]
    is_forced: bool = False


def steps_of(
    graph: Graph,
    record: Record,
    *,
    force: Sequence[str] = (),
    outside: Mapping[str, Outside] | None = None,
) -> dict[str, Step]:
    """The step of every node, in order.

    Args:
        graph: what the config asks for.
        record: what the run did.
        force: families or single nodes to replace, with all that stands on them.
        outside: states of data outside the run, by node and path; None: that one is not known, and no change. Absent:
            nobody looked, and none has changed.
    """
    steps: dict[str, Step] = {}
    for node in graph.order:
        event = record.get(node.name)
        states = _known(event, _as_before(event) if outside is None else outside.get(node.name, {}))
        parents = [steps[name] for name in graph.parents(node.name)]
        fingerprint = node.fingerprint([parent.fingerprint for parent in parents], states)
        is_forced = bool({node.family, node.name} & set(force)) or any(parent.is_forced for parent in parents)
        names = [parent.node.name for parent in parents]
        state, why = _state(node, event, fingerprint, parents=names, states=states, is_forced=is_forced)
        steps[node.name] = Step(node, state, why, fingerprint, states, is_forced)
    return steps


def check_steps(
    steps: Mapping[str, Step], targets: Sequence[str], graph: Graph, *, record: Record, run_id: str
) -> None:
    """Checks that the nodes ``targets`` can be brought up to date, in order.

    Raises:
        RunError: one that counts is finished with other settings and not forced, or one that they stand on is neither
            finished nor among them.
    """
    for place, name in enumerate(targets):
        for one in (*graph.parents(name), name):
            _check_not_refused(steps[one], run_id=run_id)
        _check_finished(name, graph, record, run_id=run_id, soon=targets[:place])


def check_parents(steps: Mapping[str, Step], name: str, graph: Graph, *, record: Record, run_id: str) -> None:
    """Checks that what a node stands on is finished, with the settings of the graph.

    Raises:
        RunError: it is not.
    """
    for parent in graph.parents(name):
        _check_not_refused(steps[parent], run_id=run_id)
    _check_finished(name, graph, record, run_id=run_id)


def _check_finished(name: str, graph: Graph, record: Record, *, run_id: str, soon: Collection[str] = ()) -> None:
    """``soon``: those that will be."""
    for parent in graph.parents(name):
        if parent not in soon and not record.is_done(parent):
            raise RunError(
                f"run {run_id!r} has not finished stage {parent}, which {name} stands on: "
                f"run that stage first, or pass the --run-id of a run that has it"
            )


def _check_not_refused(step: Step, *, run_id: str) -> None:
    if step.state is State.REFUSED:
        raise RunError(_refusal(step, run_id=run_id))


def _refusal(step: Step, *, run_id: str) -> str:
    return (
        f"stage {step.node.name} of run {run_id!r} is finished with other settings ({step.why}): "
        f"start a run with another --run-id, or replace it and all that stands on it with --force {step.node.name}"
    )


def _state(
    node: AnyNode,
    event: Event | None,
    fingerprint: str,
    *,
    parents: Sequence[str],
    states: Mapping[str, int],
    is_forced: bool,
) -> tuple[State, str]:
    if event is None or not event.has_begun:
        return State.TO_DO, ""
    if is_forced:
        return State.AGAIN, "--force"
    is_same, is_done = event.fingerprint == fingerprint, event.status == DONE
    if is_same:
        return (State.DONE, "") if is_done else (State.CONTINUE, "it was broken off")
    why = _changes(event, node, parents, states)
    return (State.REFUSED if is_done and not node.judges else State.AGAIN), why


def _as_before(event: Event | None) -> Outside:
    return dict.fromkeys(event.outside) if event else {}


def _known(event: Event | None, states: Outside) -> dict[str, int]:
    before = event.pins if event else {}
    found = {path: before.get(path) if state is None else state for path, state in states.items()}
    return {path: state for path, state in found.items() if state is not None}


def _changes(event: Event, node: AnyNode, parents: Sequence[str], states: Mapping[str, int]) -> str:
    before, now = _flat(json.loads(event.config)), _flat(json.loads(json.dumps(shown(node.settings), default=str)))
    changes = [
        f"{key} was {before.get(key)!r}, is {now.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if event.seed != node.seed:
        changes.append(f"seed was {event.seed!r}, is {node.seed!r}")
    changes += [f"{path} changed" for path, state in states.items() if event.pins.get(path, state) != state]
    changes += [f"it did not stand on {name}" for name in parents if name not in event.stands_on]
    changes += [f"it stood on {name}" for name in event.stands_on if name not in parents]
    return "; ".join(changes) or "what it stands on, or how it works, changed"


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys."""
    if not isinstance(settings, dict | list) or not settings:
        return {prefix.rstrip("."): settings}
    pairs = settings.items() if isinstance(settings, dict) else enumerate(settings)
    return {key: value for name, part in pairs for key, value in _flat(part, f"{prefix}{name}.").items()}
