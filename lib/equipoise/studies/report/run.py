"""The events of a run as the facts that a report begins with."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import yaml

from equipoise.report.content import RunFacts, StageFacts
from equipoise.runs.record import DONE, RUNNING, Event
from equipoise.runs.tables import RunTables
from equipoise.schemas import TABLES, Col, slice_of

SELECT, EMBED = "select", "embed"


def run_facts(run: RunTables) -> RunFacts:
    """Where the run came from, and how its stages went."""
    names = list(dict.fromkeys(event.stage for event in run.history))
    walk = run.record.walk()
    newest = run.history[-1] if run.history else None
    return RunFacts(
        run_id=run.run_id,
        workspace=run.workspace.location,
        source=_sources(run),
        seed=run.seed if newest else None,
        code_version=newest.code_version if newest else None,
        began=run.history[0].at.astimezone(UTC) if newest else None,  # Spark gives local times
        config=_config(run, names),
        versions=_versions(run),
        encoders=_encoders(run),
        stages=[_stage_facts([one for one in run.history if one.stage == name], on) for name, on in walk.items()],
    )


def rule_of(settings: dict[str, Any]) -> str:
    """How a selection was made, in words."""
    size = f"{settings['target']:,} items" if settings.get("target") else f"{settings.get('per_cluster')} a cluster"
    of_level = f" over level {settings['level']}" if settings.get("level") else ""
    parts = [size, f"{settings.get('method')} sharing{of_level}", f"{settings.get('within')} inside clusters"]
    if settings.get("max_copies", 1) > 1:
        parts.append(f"at most {settings['max_copies']} copies")
    if settings.get("where"):
        parts.append(f"where {settings['where']}")
    return ", ".join(parts)


def _sources(run: RunTables) -> str | None:
    """Kind and path of every source."""
    found = [run.settings(name).get("source", {}) for name in run.done("ingest")]
    return "; ".join(f"{source.get('kind')}, {source.get('path')}" for source in found) or None


def _encoders(run: RunTables) -> list[str]:
    """The encoders whose vectors the run made or found, each with what it was trained on where that is told."""
    found = [run.settings(name) for name in run.done(EMBED)]
    told = {one[Col.encoder_id]: one.get("trained_on") for one in found}
    return [f"{name}, trained on {on}" if on else name for name, on in told.items()]


def _versions(run: RunTables) -> dict[str, int]:
    """The newest version of every shared table that the run read or made."""
    versions: dict[str, int] = {}
    for event in run.history:
        made = [(slice_of(path), version) for path, version in event.made.items()]
        found = {part.table.name: version for part, version in made if part is not None and version is not None}
        read = event.pins  # of a benchmark also the state of its files
        versions |= {name: version for name, version in {**read, **found}.items() if name in TABLES}
    return versions


def _stage_facts(events: Sequence[Event], stands_on: Sequence[str]) -> StageFacts:
    newest = events[-1]
    begun = [event.at for event in events if event.status == RUNNING]
    account = newest.account
    if newest.status != DONE or account is None:
        return StageFacts(newest.stage, newest.status, None, len(begun), stands_on=stands_on)
    return StageFacts(
        newest.stage,
        DONE,
        (newest.at - begun[-1]).total_seconds() if begun else None,
        len(begun),
        n_in=account.n_in,
        n_out=account.n_out,
        n_rejected=account.n_rejected,
        drops=account.drops,
        stands_on=stands_on,
    )


def _config(run: RunTables, stages: Sequence[str]) -> str:
    """The settings that the stages ran with."""
    config = {name: run.settings(name) for name in stages}
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
