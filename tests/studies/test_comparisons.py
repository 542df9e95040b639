"""What tells a comparison and its runs from a user's own: no Spark."""

import json
from datetime import UTC, datetime

import pytest

from equipoise.config import shown
from equipoise.errors import RunError
from equipoise.runs.record import DONE, Event, Record
from equipoise.stages.configuration import config_from, graph_of
from equipoise.studies import comparisons
from equipoise.studies.comparisons import refuse_early
from equipoise.studies.variants import variant_runs

SECTIONS = {
    "name": "t",
    "source": {"kind": "images", "path": "data"},
    "embed": {"encoder": "pixels"},
    "cluster": {"levels": [{"k": 30}, {"k": 5}]},
    "compare": {"target": 9},
}


def record_of(config, *stages: str) -> Record:
    """A record in which the named nodes of a config are done."""
    graph, fingerprints, events = graph_of(config), {}, []
    for node in graph.order:
        parents = [fingerprints[name] for name in graph.parents(node.name)]
        fingerprints[node.name] = node.fingerprint(parents, {})
        settings = json.dumps(shown(node.settings), default=str)
        if node.family in stages:
            at = datetime(2026, 1, 1, tzinfo=UTC)
            events.append(Event(node.name, DONE, settings, fingerprints[node.name], node.seed, at))
    return Record(events)


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Refuses a run id of an empty workspace, in which a run has a record."""

    def known(run_id: str, record: Record, **sections) -> None:
        monkeypatch.setattr(comparisons, "early_record", lambda workspace, run_id: record)
        assert refuse_early(config_from({**SECTIONS, "workspace": str(tmp_path), **sections}), run_id)

    return known


def test_a_run_is_one_of_a_comparison_by_its_clustering_or_by_a_selection(known, tmp_path):
    config = config_from({**SECTIONS, "workspace": str(tmp_path)})
    for run in variant_runs(config):
        for stages in (("cluster",), ("select",), ("ingest", "embed", "cluster", "select")):
            if "select" not in stages or run.methods:
                with pytest.raises(RunError, match=rf"--run-id '{run.run_id}' is a run that equipoise compare makes"):
                    known(run.run_id, record_of(run.config, *stages), compare=None)


def test_a_run_that_the_config_would_compare_is_known_before_it_is_there(known, tmp_path):
    config = config_from({**SECTIONS, "workspace": str(tmp_path)})
    for run in variant_runs(config):
        with pytest.raises(RunError, match="pass another id, or none for a new run"):
            known(run.run_id, Record())


def test_a_users_own_runs_are_taken(known, tmp_path):
    own = {"select": [{"name": "balanced-1234567890", "target": 5}], "workspace": str(tmp_path)}
    record = record_of(config_from({**SECTIONS, **own}), "ingest", "embed", "cluster", "select")
    for run_id in ("mine", "t-1234567890"):
        known(run_id, record)
        known(run_id, record, compare=None)
        known(run_id, Record())
    unfit = {"target": 9, "variants": [{"name": "v", "cluster": {"levels": []}}]}
    known("mine", record, compare=unfit)  # a comparison that cannot be made is no matter of the stages
