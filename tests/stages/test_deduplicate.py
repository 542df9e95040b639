"""The stage ``deduplicate``: what is a copy of what, what goes, and what a change makes anew."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from equipoise.errors import ConfigError
from equipoise.runs.context import Context
from equipoise.runs.record import event_of
from equipoise.runs.tables import RunTables
from equipoise.schemas import CURATED, DUPLICATE_EDGES, DUPLICATES, EMBEDDINGS, METRICS, RUNS, Col
from equipoise.stages.configuration import config_from, graph_of
from equipoise.stages.deduplicate import pairs, semdedup
from equipoise.stages.deduplicate.told import print_duplicates
from equipoise.studies.report.duplicates import read_duplicates
from stages.fakes import Lab

ANGLES = (0, 10, 90, 100, 200, 205, 209)
"""Of the pool's vectors, in degrees: two pairs, and a chain of three."""
NEAR, NEARER = 0.97, 0.99
"""Cosines of some 14 and 8 degrees."""


def at(*angles):
    turned = np.radians(angles)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("deduplicate")
    np.save(made / "pool.npy", at(*ANGLES))
    np.save(made / "test.npy", at(95, 150))
    np.save(made / "zero.npy", np.concatenate([at(*ANGLES), np.zeros((1, 2), np.float32)]))
    return made


def sections(folder, **deduplicate):
    given = {"kind": "embeddings", "encoder": "e"}
    return {
        "sources": {
            "pool": {**given, "path": str(folder / "pool.npy")},
            "test": {**given, "path": str(folder / "test.npy"), "id_space": "own"},
        },
        "pool": ["pool"],
        "deduplicate": {"exact_copies": "none", **deduplicate},
        "cluster": {"levels": [{"k": 2}]},
    }


def graph(folder, **deduplicate):
    return graph_of(config_from({"name": "t", "workspace": "w", **sections(folder, **deduplicate)}))


def told(run):
    """By item: what it was kept or dropped for, and by which method."""
    rows = run.rows(DUPLICATES)
    return {row[Col.item_id]: (row[Col.is_kept], row[Col.kept_id], row[Col.method]) for row in rows}


def kept(run):
    """Places of the pool's vectors that are still there."""
    gone = {item for item, (is_kept, *_) in told(run).items() if not is_kept}
    return [place for place in range(len(ANGLES)) if place not in gone]


@pytest.fixture(scope="module")
def run(spark, folder):
    """Pairs and groups, with a set to compare with; the chain of three is one group."""
    lab = Lab(spark, folder)
    against = {"sources": ["test"], "threshold": NEARER}
    made = lab.run("r", **sections(folder, threshold=NEAR, stored_above=0.9, against=against))
    made.accounts = made.bring()
    return made


@pytest.fixture(scope="module")
def stored(spark, folder):
    """The same pairs without a set, of a run of their own."""
    made = Lab(spark, folder).run("s", **sections(folder, threshold=NEAR, stored_above=0.9))
    made.bring("deduplicate:groups")
    return made


def again(run, folder, **deduplicate):
    """The same run with other rules, its groups alone made anew."""
    changed = replace(run, sections=sections(folder, **deduplicate))
    changed.bring("deduplicate:groups", force=("deduplicate:groups",))
    return changed


def test_of_what_hangs_together_one_item_stays_and_the_likes_of_a_set_go_with_their_group(run):
    assert kept(run) == [0, 4]
    found = told(run)
    assert found[0] == (True, 0, "copies") and found[1] == (False, 0, "copies")
    assert [found[place][::2] for place in (4, 5, 6)] == [(True, "copies"), (False, "copies"), (False, "copies")]
    assert {found[place][::2] for place in (2, 3)} == {(False, "against:test")}
    groups = run.accounts["deduplicate:groups"]
    assert (groups.n_in, groups.n_out, dict(groups.drops)) == (7, 2, {"copies": 3, "against:test": 2})


def tables_of(run):
    history = sorted((event_of(row.asDict()) for row in run.rows(RUNS)), key=lambda event: event.at)
    return RunTables(run.spark, run.workspace, run.run_id, history)


def reported(run):
    """What the report of the run shows of copies."""
    with tables_of(run) as tables:
        return read_duplicates(tables, curated=tables.rows(CURATED))


def test_the_terminal_tells_each_method_with_its_own_threshold(run):
    console = Console(record=True, width=100, file=io.StringIO())
    with tables_of(run) as tables:
        print_duplicates(tables, console)
    rows = [re.findall(r"[\w:.]+", line) for line in console.export_text().splitlines() if "2" in line or "3" in line]
    assert rows == [["against:test", f"{NEARER:.6g}", "2", "1"], ["copies", f"{NEAR:.6g}", "3", "2"]]


def test_who_compares_a_selection_with_the_pool_sees_what_was_clustered(run):
    with tables_of(run) as tables:
        assert {row[Col.item_id] for row in tables.clustered_items().collect()} == set(kept(run))
        assert tables.items().count() > len(ANGLES)  # the set is among what was read


def ids(pairs):
    return [(pair.one.item_id, pair.other.item_id) for pair in pairs]


def test_the_report_has_the_pairs_about_the_threshold_and_the_groups(run):
    found = reported(run)
    assert (found.n_in, found.n_out, dict(found.drops)) == (7, 2, {"copies": 3, "against:test": 2})
    assert (found.n_items, found.n_groups, found.n_copies, found.neighbours) == (7, 3, 0, 64)
    own, of_set = found.pairs
    assert (own.n, own.threshold, own.stored_above, own.of, own.recall) == (5, NEAR, 0.9, None, None)
    assert sum(own.counts) == 5 and own.edges[0] <= np.cos(np.radians(10)) <= own.edges[1]
    assert ids(own.above)[:2] == [(0, 1), (2, 3)] and ids(own.above)[-1] == (5, 6) and not own.below
    assert (of_set.n, of_set.threshold, of_set.of) == (2, NEARER, "test") and len(of_set.above) == 2
    chain, *_, whole = sorted(found.groups, key=lambda group: (group.of is not None, -group.n_items))
    assert (chain.n_items, chain.head.item_id, [one.item.item_id for one in chain.others]) == (3, 4, [6, 5])
    assert whole.of == "test" and whole.head.key == "0" and {one.item.item_id for one in whole.others} == {2, 3}
    assert [round(one.similarity, 4) for one in whole.others] == [0.9962, 0.9962]


def test_what_is_dropped_is_not_clustered(run):
    assert (run.accounts["cluster"].n_in, run.accounts["cluster"].n_out) == (2, 2)


def test_pairs_are_stored_once_down_to_where_the_config_says_with_their_cosines(run):
    stored = {
        (row[Col.src], row[Col.dst]): row[Col.similarity]
        for row in run.rows(DUPLICATE_EDGES)
        if row[Col.kind] == "pool"
    }
    wanted = {(0, 1): 10, (2, 3): 10, (4, 5): 5, (4, 6): 9, (5, 6): 4}
    assert stored.keys() == wanted.keys()
    np.testing.assert_allclose([stored[pair] for pair in wanted], np.cos(np.radians(list(wanted.values()))), rtol=1e-6)
    metrics = {(row[Col.name], row[Col.group]): row[Col.value] for row in run.rows(METRICS)}
    assert metrics["n_pairs", "pool"] == 5 and metrics["n_pairs", "against:test"] == 2
    assert metrics["stored_above", "pool"] == 0.9 and metrics["n_dropped", "copies"] == 3


def test_another_threshold_reads_no_vector_and_one_below_the_stored_pairs_is_refused(stored, folder, monkeypatch):
    def read(*arguments):
        raise AssertionError("vectors are read")

    monkeypatch.setattr(pairs, "neighbour_pairs", read)
    monkeypatch.setattr(Context, "vectors", read)
    nearer = again(stored, folder, threshold=NEARER)
    assert kept(nearer) == [0, 1, 2, 3, 4] and told(nearer)[6][:2] == (False, 4)
    with pytest.raises(ConfigError, match=r"deduplicate.threshold: 0.5 is below 0.9, from where .*--force deduplicate"):
        again(stored, folder, threshold=0.5)
    with pytest.raises(ConfigError, match=r"target_keep is 2, and thresholds from 0.97 to 1 leave 3 to 7 of 7 items"):
        again(stored, folder, threshold=NEAR, target_keep=2)
    assert kept(nearer) == [0, 1, 2, 3, 4], "what there was is there, where nothing can take its place"


def test_the_threshold_that_leaves_so_many_is_found(stored, folder):
    found = again(stored, folder, threshold=0.9, target_keep=5)  # pairs of 4 and of 5 degrees go first
    assert kept(found) == [0, 1, 2, 3, 4]
    (own,) = reported(found).pairs
    assert own.threshold > 0.9 and ids(own.below)[0] == (4, 6) and ids(own.above) == [(4, 5), (5, 6)]
    value = next(row[Col.value] for row in found.rows(METRICS) if row[Col.name] == "threshold")
    assert np.cos(np.radians(9)) <= value < np.cos(np.radians(5))


def test_items_with_equal_contents_are_copies_without_vectors(spark, tmp_path):
    def drawn(grey):
        return Image.fromarray(np.full((8, 8), grey, np.uint8))

    for name, grey, level in (("a", 40, 0), ("b", 90, 0), ("c", 40, 0), ("d", 40, 9)):
        drawn(grey).save(tmp_path / f"{name}.png", compress_level=level)
    source = {"kind": "images", "path": str(tmp_path), "extensions": ["png"]}
    for exact_copies, n_kept in (("files", 3), ("contents", 2), ("none", 4)):
        rules = {"threshold": 1.0, "exact_copies": exact_copies}  # no vectors are above it
        run = Lab(spark, tmp_path).run("r", source=source, embed={"encoder": "pixels", "size": 2}, deduplicate=rules)
        assert run.bring("deduplicate:groups")["deduplicate:groups"].n_out == n_kept


@pytest.mark.parametrize("form, wanted", [("groups", 4), ("ranked", 4)])
def test_semdedup_leaves_one_of_a_group_in_rounds_and_goes_on_after_a_kill(spark, folder, monkeypatch, form, wanted):
    rule = {"k": 1, "form": form, "rounds": 3}
    whole = Lab(spark, folder).run("r", **sections_of_semdedup(folder, rule))
    account = whole.bring("deduplicate:semdedup")["deduplicate:semdedup"]
    assert account.n_out == wanted and sum(account.drops.values()) == 8 - wanted
    found = reported(whole)
    assert found.remaining[0] == 8 and found.remaining[-1] == wanted and found.n_items == 7
    assert [(one.n, one.is_of_drops, len(one.above), len(one.below)) for one in found.pairs] == [(4, True, 4, 0)]
    killed = Lab(spark, folder).run("r", **sections_of_semdedup(folder, rule))
    write, written = semdedup._written, []

    def dying(*arguments):
        written.append(write(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(semdedup, "_written", dying)
    with pytest.raises(KeyboardInterrupt):
        killed.bring("deduplicate:semdedup")
    monkeypatch.setattr(semdedup, "_written", write)
    assert killed.bring("deduplicate:semdedup")["deduplicate:semdedup"] == account
    assert told(killed) == told(whole)


def sections_of_semdedup(folder, rule):
    """Of a pool with a vector of zeros, which is like none."""
    values = sections(folder, threshold=NEAR, semdedup=rule)
    values["sources"]["pool"]["path"] = str(folder / "zero.npy")
    del values["deduplicate"]["exact_copies"]
    return values


@pytest.mark.parametrize(
    "deduplicate, said",
    [
        ({"threshold": 0.5, "stored_above": 0.6}, "stored_above: 0.6 is above the threshold, 0.5"),
        ({"threshold": 1.5}, "deduplicate.threshold: must be less than or equal to 1"),
        ({"against": {"sources": ["tests"]}}, "against.sources: there is no source 'tests'; did you mean 'test'"),
        ({"against": {"sources": ["pool"]}}, "'pool' is curated, as pool says"),
        ({"against": {"sources": ["test", "test"]}}, "names 'test' twice"),
        ({"semdedup": {"k": 2}, "neighbours": 3}, "neighbours does not go with semdedup"),
        ({"exact_copies": "files", "semdedup": {"k": 2, "order": "random"}}, "goes with form: ranked"),
        ({"keep": "largest"}, "deduplicate.keep"),
        ({"keep": {"attribute": "size"}}, "deduplicate.keep.attribute: no source keeps the attribute 'size'"),
        (
            {"keep": "longest_text"},
            "deduplicate.keep: longest_text compares texts, and the pool holds embeddings: take",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(folder, deduplicate, said):
    with pytest.raises(ConfigError) as error:
        graph(folder, **deduplicate)
    assert said in str(error.value)


@pytest.mark.parametrize("keep", ["lowest_id", "closest_to_mean"])
def test_every_step_needs_each_slice_once_and_no_set_to_choose_what_stays(folder, keep):
    made = graph(folder, keep=keep, against={"sources": ["test"]})
    for node in made.order:
        paths = [part.path for part in node.needs]
        assert len(set(paths)) == len(paths), node.name
    sources = [part.where.get(Col.source) for part in made["deduplicate:groups"].needs if part.table is EMBEDDINGS]
    assert sources == (["pool"] if keep == "closest_to_mean" else [])


def test_sets_of_another_encoder_are_refused_by_name(folder):
    values = sections(folder, against={"sources": ["test"]})
    values["sources"]["test"]["encoder"] = "another"
    with pytest.raises(ConfigError, match=r"no encoder makes vectors of all of 'pool', 'test'"):
        graph_of(config_from({"name": "t", "workspace": "w", **values}))
