"""What follows from a graph and a record: a table of cases, without Spark."""

from dataclasses import replace

import pytest

from equipoise.errors import RunError
from equipoise.runs.record import DONE, FAILED, REPLACED, RUNNING, Event, Record, begun, ended
from equipoise.runs.steps import State, check_steps, steps_of
from runs.toys import ACCOUNT, graph_of, node, part, pipeline

T = State


def recorded(graph, statuses, outside=None):
    """A record in which the nodes have these statuses, with the fingerprints that the graph gives them."""
    steps, events = steps_of(graph, Record(), outside=outside), []
    for name, status in statuses.items():
        event = begun(graph[name], steps[name].fingerprint, graph.parents(name), dict(steps[name].outside))
        events.append(event if status == RUNNING else ended(event, status, account=ACCOUNT))
    return Record(events)


def refusal(graph, record, targets, run_id="r") -> str:
    with pytest.raises(RunError) as caught:
        check_steps(steps_of(graph, record), targets, graph, record=record, run_id=run_id)
    return str(caught.value)


def states(graph, record, **arguments):
    return {name: step.state for name, step in steps_of(graph, record, **arguments).items()}


ALL = dict.fromkeys(("ingest", "cluster", "select:a", "select:b", "evaluate"), DONE)


@pytest.mark.parametrize(
    "statuses, changes, force, expected",
    [
        ({}, {}, (), {"ingest": T.TO_DO, "cluster": T.TO_DO, "select:a": T.TO_DO, "evaluate": T.TO_DO}),
        (ALL, {}, (), dict.fromkeys(ALL, T.DONE)),
        ({**ALL, "cluster": RUNNING}, {}, (), {"cluster": T.CONTINUE, "select:a": T.DONE}),
        ({**ALL, "cluster": FAILED}, {}, (), {"cluster": T.CONTINUE}),
        ({**ALL, "cluster": FAILED}, {"cluster": 2}, (), {"cluster": T.AGAIN, "select:a": T.REFUSED}),
        ({**ALL, "cluster": REPLACED}, {}, (), {"ingest": T.DONE, "cluster": T.TO_DO}),
        # a changed branch refuses itself and what stands on it, and nobody else
        (ALL, {"a": 2}, (), {"cluster": T.DONE, "select:a": T.REFUSED, "select:b": T.DONE, "evaluate": T.AGAIN}),
        (ALL, {"cluster": 2}, (), {"ingest": T.DONE, "cluster": T.REFUSED, "select:a": T.REFUSED, "evaluate": T.AGAIN}),
        # what judges is done again unasked
        (ALL, {"evaluate": 2}, (), {"select:a": T.DONE, "evaluate": T.AGAIN}),
        # force replaces descendants, nothing else
        (ALL, {}, ("cluster",), {"ingest": T.DONE, "cluster": T.AGAIN, "select:a": T.AGAIN, "evaluate": T.AGAIN}),
        (ALL, {}, ("select",), {"cluster": T.DONE, "select:a": T.AGAIN, "select:b": T.AGAIN, "evaluate": T.AGAIN}),
        (ALL, {}, ("evaluate",), {"select:a": T.DONE, "evaluate": T.AGAIN}),
        ({"ingest": DONE}, {}, ("ingest",), {"ingest": T.AGAIN, "cluster": T.TO_DO}),
    ],
)
def test_states(statuses, changes, force, expected):
    record = recorded(graph_of(*pipeline()), statuses)
    found = states(graph_of(*pipeline(**changes)), record, force=force)
    assert {name: found[name] for name in expected} == expected
    assert found["benchmark"] is T.TO_DO


def test_a_change_of_revision_or_seed_refuses_and_one_of_the_package_does_not(monkeypatch):
    one = node("cluster", seed=1)
    record = recorded(graph_of(one), {"cluster": DONE})
    monkeypatch.setattr("equipoise.runs.record.__version__", "99")
    assert states(graph_of(one), record) == {"cluster": T.DONE}
    assert states(graph_of(replace(one, revision=2)), record) == {"cluster": T.REFUSED}
    changed = steps_of(graph_of(replace(one, seed=2)), record)["cluster"]
    assert (changed.state, changed.why) == (T.REFUSED, "seed was 1, is 2")


def test_a_key_that_has_its_default_or_says_how_changes_nothing():
    from equipoise.stages.cluster.section import Cluster

    def one(**keys):
        return graph_of(replace(node("cluster"), settings=Cluster(levels=[{"k": 3}], **keys)))

    record = recorded(one(), {"cluster": DONE})
    assert states(one(iterations=50, tolerance=1e-4), record) == {"cluster": T.DONE}
    assert states(one(checkpoint_every=9), record) == {"cluster": T.DONE}
    assert states(one(iterations=49), record) == {"cluster": T.REFUSED}


def test_a_refusal_names_what_changed_key_by_key():
    old = {"metric": "cosine", "levels": [{"k": 9}, {"k": 3}], "same": 1, "gone": None}
    new = {"metric": "euclidean", "levels": [{"k": 9}, {"k": 4}, {"k": 2}], "same": 1}
    record = recorded(graph_of(node("ingest", old)), {"ingest": DONE})
    message = refusal(graph_of(node("ingest", new)), record, ["ingest"], run_id="run 1")
    for expected in (
        "metric was 'cosine', is 'euclidean'", "levels.1.k was 3, is 4", "levels.2.k was None, is 2",
        "--force ingest", "another --run-id", "'run 1'",
    ):  # fmt: skip
        assert expected in message
    assert "same" not in message and "levels.0" not in message


def test_a_parent_that_changed_is_said_of_the_child():
    record = recorded(graph_of(*pipeline()), ALL)
    step = steps_of(graph_of(*pipeline(cluster=2)), record)["select:a"]
    assert step.why == "what it stands on, or how it works, changed"


def test_data_outside_are_part_of_it_and_unknown_ones_are_no_change():
    graph = graph_of(node("benchmark", judges=True))
    record = recorded(graph, {"benchmark": DONE}, {"benchmark": {"raw.npz": 7, "unknown": None}})
    for state, expected in ((7, T.DONE), (None, T.DONE), (8, T.AGAIN)):
        assert states(graph, record, outside={"benchmark": {"raw.npz": state, "unknown": None}}) == {
            "benchmark": expected
        }


def test_where_nobody_looked_the_states_are_those_pinned_and_versions_and_places_are_none():
    graph = graph_of(*pipeline())
    record = recorded(graph, ALL, outside={"cluster": {"/data/x": 1}})
    for name, pins in {"ingest": {"pool": 3, "origin:/data/y": 0}, "cluster": {"/data/x": 1, "embeddings": 2}}.items():
        event = record.get(name)
        record.add(replace(event, pins=pins))
    assert states(graph, record).items() >= dict.fromkeys(ALL, T.DONE).items()


def test_a_renamed_parent_of_the_same_result_changes_nothing():
    """``embed`` may become ``embed:dino`` when a second encoder comes."""
    from equipoise.schemas import POOL

    def chain(name):
        made = part(POOL, source="s")
        return graph_of(node(name, 1, makes=(made,)), node("cluster", needs=(made,)))

    record = recorded(chain("ingest"), {"ingest": DONE, "cluster": DONE})
    assert states(chain("ingest:s"), record) == {"ingest:s": T.TO_DO, "cluster": T.DONE}


def test_what_a_node_stands_on_must_be_done():
    graph = graph_of(*pipeline())
    message = refusal(graph, recorded(graph, {"ingest": RUNNING}), ["cluster"])
    assert message.startswith("run 'r' has not finished stage ingest, which cluster stands on")
    for statuses, targets in (({"ingest": DONE}, ["cluster"]), ({}, ["benchmark"]), ({}, ["ingest", "cluster"])):
        record = recorded(graph, statuses)
        check_steps(steps_of(graph, record), targets, graph, record=record, run_id="r")


def test_a_walk_has_every_node_after_those_that_it_stood_on():
    record = recorded(graph_of(*pipeline()), ALL)
    walk = Record(record.events[::-1]).walk()
    assert list(walk)[:2] == ["ingest", "cluster"] and list(walk)[-1] == "evaluate"
    assert (walk["cluster"], set(walk["evaluate"])) == (("ingest",), {"select:a", "select:b"})
    replaced = Record([*record.events, ended(record.get("cluster"), REPLACED)]).walk()
    assert "cluster" not in replaced and replaced["select:a"] == ("cluster",)


def test_the_newest_event_is_the_state():
    graph = graph_of(*pipeline())
    first = recorded(graph, {"ingest": RUNNING}).get("ingest")
    assert isinstance(first, Event)
    later = ended(first, DONE, account=ACCOUNT)
    assert Record([later, first]).is_done("ingest") and not Record([first]).is_done("ingest")
