"""SemDeDup inside the clusters of a run that is finished, and when there are none to use."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equipoise.errors import ConfigError, InputError, RunError
from equipoise.kernels.vectors import unit_length
from equipoise.runs.run import read_record
from equipoise.runs.steps import State, steps_of
from equipoise.schemas import ASSIGNMENTS, DUPLICATES, EMBEDDINGS, METRICS, RUNS, Col
from equipoise.stages.configuration import config_from, graph_of
from stages.fakes import Lab

NODE, THRESHOLD, N = "deduplicate:semdedup", 0.9, 60
KEY = "deduplicate.semdedup.clusters.run"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("clusters")
    np.save(made / "v.npy", np.random.default_rng(2).normal(size=(N, 3)).astype(np.float32))
    return made


def sections(folder, *, name="s", encoder="e", n_clusters=4, **semdedup):
    source = {"kind": "embeddings", "path": str(folder / "v.npy"), "encoder": encoder}
    source |= {} if name == "s" else {"id_space": "own"}
    made = {"sources": {name: source}, "cluster": {"levels": [{"k": n_clusters}]}}
    if semdedup:
        made["deduplicate"] = {"threshold": THRESHOLD, "semdedup": semdedup}
    return made


@pytest.fixture(scope="module")
def lab(spark, folder):
    """With a run whose clusters are Euclidean, of vectors of any length."""
    made = Lab(spark, folder)
    made.run("base", **sections(folder)).bring()
    return made


def brought(lab, folder, run_id="next", **changes):
    run = lab.run(run_id, **sections(folder, **changes))
    return run, run.bring(NODE)[NODE]


def by_hand(lab, folder):
    """The ids of what goes: of each component inside a cluster all but the item farthest from the cluster's mean."""
    rows = lab.run("base").rows(ASSIGNMENTS)
    places = {row[Col.item_id]: row[Col.cluster_id] for row in rows}
    base = lab.run("base", **sections(folder))
    vectors = {row[Col.item_id]: row[Col.embedding] for row in base.rows(EMBEDDINGS)}
    gone = set()
    for cluster in set(places.values()):
        ids = np.array(sorted(one for one, place in places.items() if place == cluster))
        own = unit_length(np.array([vectors[one] for one in ids], np.float32))
        _, labels = connected_components(coo_array(own @ own.T > THRESHOLD))
        far = ((own - own.mean(axis=0)) ** 2).sum(axis=1)
        for label in set(labels):
            members = np.flatnonzero(labels == label)
            gone |= set(ids[members].tolist()) - {int(ids[members[np.argmax(far[members])]])}
    return gone


def test_copies_are_looked_for_inside_the_clusters_of_that_run(lab, folder):
    run, account = brought(lab, folder, clusters={"run": "base"})
    gone = {row[Col.item_id] for row in run.rows(DUPLICATES) if not row[Col.is_kept]}
    assert gone == by_hand(lab, folder) and 5 < len(gone) < N - 5
    assert (account.n_in, account.n_out) == (N, N - len(gone))
    assert "semdedup: round 1, k = 4:" in " ".join(run.progress.messages)


def test_later_rounds_cluster_what_is_left(lab, folder):
    first, _ = brought(lab, folder, clusters={"run": "base"})
    run, _ = brought(lab, folder, "rounds", clusters={"run": "base"}, k=1, rounds=2)
    curve = {row[Col.group]: row[Col.value] for row in run.rows(METRICS) if row[Col.name] == "n_remaining"}
    assert curve["round=1"] == N - sum(not row[Col.is_kept] for row in first.rows(DUPLICATES))
    assert curve["round=2"] < curve["round=1"]
    assert "semdedup: round 2, k = 1:" in " ".join(run.progress.messages)


@pytest.mark.parametrize(
    "run_id, changes, error, said",
    [
        ("x1", {"clusters": {"run": "absent"}}, RunError, rf"^{KEY}: workspace 'memory' has no run 'absent'"),
        ("x2", {"clusters": {"run": "x2"}}, RunError, rf"^{KEY}: 'x2' is this run itself, whose clusters come later"),
        ("x3", {"clusters": {"run": "half"}}, RunError, rf"^{KEY}: run 'half' has not finished its clustering"),
        (
            "x4",
            {"clusters": {"run": "base"}, "encoder": "f"},
            RunError,
            r"vectors of \S*e\S*, not of \S*f\S*, ",
        ),
        (
            "x5",
            {"clusters": {"run": "base"}, "name": "o"},
            InputError,
            r"clustered 0 of these 60 items, ",
        ),
    ],
)
def test_a_run_whose_clusters_cannot_be_used_is_refused_by_its_name(lab, folder, run_id, changes, error, said):
    lab.run("half", **sections(folder)).bring("ingest:s")
    with pytest.raises(error, match=said):
        brought(lab, folder, run_id, **changes)
    if error is RunError:
        assert not [row for row in lab.run(run_id).rows(RUNS) if row[Col.run_id] == run_id], "before any work"


def test_clusters_that_were_replaced_refuse_what_was_made_of_them(lab, folder):
    lab.run("moving", **sections(folder)).bring()
    run, _ = brought(lab, folder, "of_moving", clusters={"run": "moving"})
    graph = graph_of(config_from({"name": "t", "workspace": "w", **run.sections}))
    early = steps_of(graph, read_record(lab.workspace, "of_moving"))
    assert early[NODE].state is State.DONE, "without a look at the other run"
    assert run.bring(NODE)[NODE].n_in == N
    lab.run("moving", **sections(folder, n_clusters=5)).bring(force=("cluster",))
    with pytest.raises(RunError, match=rf"{NODE} of run 'of_moving' is finished .*clusters of run moving changed"):
        run.bring(NODE)


def test_rounds_that_cannot_be_leave_what_is_there(lab, folder):
    run, _ = brought(lab, folder, "stays", clusters={"run": "base"})
    before = sorted(run.rows(DUPLICATES))
    changed = lab.run("stays", **sections(folder, k=2, target_keep=N + 1))
    with pytest.raises(ConfigError, match=rf"^target_keep is {N + 1} and the pool has {N} items: lower it$"):
        changed.bring(NODE, force=(NODE,))
    assert before and sorted(changed.rows(DUPLICATES)) == before


@pytest.mark.parametrize(
    "rule, said",
    [
        ({}, "semdedup: k is missing: say how many clusters, or by clusters: {run: ID} whose to use"),
        ({"clusters": {"run": "r"}, "rounds": 3}, "in the first round alone, and 2 more cluster what is left: add k"),
        ({"clusters": {"run": "r"}, "k": 2}, "k and clusters are both there, and the only round takes one of them"),
        ({"clusters": {"run": ""}}, "deduplicate.semdedup.clusters.run"),
    ],
)
def test_every_round_has_clusters_from_one_place(rule, said):
    values = {"name": "t", "workspace": "w", "source": {"kind": "images", "path": "p"}, "embed": {"encoder": "pixels"}}
    with pytest.raises(ConfigError) as error:
        config_from({**values, "deduplicate": {"semdedup": rule}})
    assert said in str(error.value)
