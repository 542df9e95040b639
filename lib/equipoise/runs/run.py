"""What a run did so far, and what follows for the next stage: skip it, go on with it, refuse it, or replace it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from equipoise import __version__
from equipoise.errors import RunError
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import RUNS, Col, Table

FAMILIES = ("ingest", "embed", "cluster", "select", "evaluate")
RUNNING, DONE, FAILED, REPLACED = "running", "done", "failed", "replaced"


@dataclass(frozen=True)
class Stage:
    """A step of a run.

    ``settings`` are the part of the config that its result depends on, ``inputs`` the tables that it reads at pinned
    versions, ``outputs`` those that it adds to for later stages; ``clear`` removes what it made for this run,
    ``forget`` what it shares with other runs: that goes by ``--force`` alone. One that ``only_judges`` is done again
    without being asked when what it stands on or its settings changed: nothing stands on it. ``outside`` tells the
    states of data outside the workspace by path, None where one is not known: that is no change.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Sequence[Table]
    outputs: Sequence[Table]
    work: Callable[[StageContext], Account]
    clear: Callable[[StageContext], None]
    forget: Callable[[StageContext], None] | None = None
    only_judges: bool = False
    outside: Callable[[StageContext], Mapping[str, int | None]] | None = None

    @property
    def family(self) -> str:
        """The name that ``--force`` takes: selections are ``select:NAME``, of the family ``select``."""
        return self.name.partition(":")[0]

    @property
    def rank(self) -> int:
        """Stages stand on those of lower ranks; selections do not stand on each other."""
        return FAMILIES.index(self.family)

    def stands_on(self, other: "Stage") -> bool:
        """Whether it needs ``other`` first. A stage of no family of a run, like a benchmark, stands on none."""
        both = (self.family in FAMILIES) and (other.family in FAMILIES)
        return both and self.rank > other.rank


@dataclass(frozen=True)
class Outcome:
    """How a stage of the run ended: what it counted, and whether that was now or earlier."""

    stage: str
    account: Account
    seconds: float
    was_skipped: bool


class Run:
    """The events of one run id, read once and added to."""

    def __init__(self, context: StageContext) -> None:
        """Reads the newest event of every stage of ``context.run_id``."""
        self.context = context
        newest = Window.partitionBy(Col.stage).orderBy(F.desc(Col.at))
        newest = newest.rowsBetween(Window.unboundedPreceding, Window.currentRow)
        events = context.workspace.read(RUNS).filter(F.col(Col.run_id) == context.run_id)
        ranked = events.withColumn("age", F.row_number().over(newest)).filter("age = 1").drop("age")
        self.events: dict[str, Row] = {row[Col.stage]: row for row in ranked.collect()}

    def is_done(self, stage: str) -> bool:
        """Whether the stage is finished."""
        return stage in self.events and self.events[stage][Col.status] == DONE

    def perform(self, stage: Stage, *, stages: Sequence[Stage], force: bool) -> Outcome:
        """Brings the run up to and including ``stage``.

        Args:
            stage: what to do.
            stages: all stages of the config; it stands on those of the families before its own.
            force: replace it, and what stands on it, even though it is finished.

        Raises:
            RunError: a stage before it is not finished, or it is finished with other settings and not forced.
        """
        before = [one for one in stages if stage.stands_on(one)]
        for needed in before:
            if not self.is_done(needed.name):
                raise RunError(
                    f"run {self.context.run_id!r} has not finished stage {needed.name}, which {stage.name} stands on: "
                    f"run that stage first, or pass the --run-id of a run that has it"
                )
        versions = self._pinned(stage, before)
        fingerprint = self._fingerprint(stage, before, versions)
        is_same = stage.name in self.events and self.events[stage.name][Col.fingerprint] == fingerprint
        if self.is_done(stage.name) and not force:
            if is_same:
                return self._skipped(stage)
            if not stage.only_judges:
                raise RunError(self._refusal(stage))
        if self._has_begun(stage.name) and (force or not is_same):
            if not force:
                self.context.progress.message(f"{stage.name}: settings or what it reads changed, it is done again")
            self._replace(stage, [one for one in stages if one.stands_on(stage)], is_forced=force)
            versions = self._pinned(stage, before)
            fingerprint = self._fingerprint(stage, before, versions)
        elif stage.name in self.events and not self._has_begun(stage.name):
            stage.clear(self.context)  # it was replaced, perhaps by a process that was killed before all was removed
        return self._worked(stage, replace(self.context, versions=versions), fingerprint)

    def _has_begun(self, name: str) -> bool:
        return name in self.events and self.events[name][Col.status] != REPLACED

    def _worked(self, stage: Stage, context: StageContext, fingerprint: str) -> Outcome:
        begun = self._record(stage, RUNNING, fingerprint, context.versions)
        try:
            account = stage.work(context)
        except Exception:  # of any kind, and raised again: the event is for those who read the table
            with suppress(Exception):  # Spark itself may be gone
                self._record(stage, FAILED, fingerprint, context.versions)
            raise
        done = self._record(stage, DONE, fingerprint, context.versions, account=account)
        return Outcome(stage.name, account, (done - begun).total_seconds(), was_skipped=False)

    def _skipped(self, stage: Stage) -> Outcome:
        row = self.events[stage.name]
        account = Account(
            row[Col.n_in], row[Col.n_out], row[Col.n_rejected], row[Col.drops] or {}, row[Col.n_partitions]
        )
        return Outcome(stage.name, account, 0.0, was_skipped=True)

    def _replace(self, stage: Stage, after: Sequence[Stage], *, is_forced: bool) -> None:
        """Removes what ``stage`` and those after it made, selections that the config no longer names included."""
        named = {one.name: one for one in [stage, *after]}
        for name in self.events:
            one = named.get(name) or replace(stage, name=name, settings={})
            if self._has_begun(name) and (name == stage.name or one.stands_on(stage)):
                self._record(one, REPLACED, "", {})
        for one in reversed(named.values()):
            one.clear(self.context)
            if is_forced and one.forget:
                one.forget(self.context)

    def _pinned(self, stage: Stage, before: Sequence[Stage]) -> dict[str, int]:
        """Input versions: those of an earlier attempt, else those that an earlier stage read, else the newest."""
        pins: dict[str, int] = {}
        for one in [*before, stage]:
            if self._has_begun(one.name):
                pins |= self.events[one.name][Col.input_versions] or {}
            if one is not stage:
                pins = {name: version for name, version in pins.items() if name not in {t.name for t in one.outputs}}
        workspace = self.context.workspace
        tables = {
            table.name: pins[table.name] if table.name in pins else workspace.version(table) for table in stage.inputs
        }
        states = stage.outside(self.context) if stage.outside else {}
        known = {path: pins.get(path) if state is None else state for path, state in states.items()}
        return tables | {path: state for path, state in known.items() if state is not None}

    def _fingerprint(self, stage: Stage, before: Sequence[Stage], versions: Mapping[str, int]) -> str:
        parts = [
            stage.settings,
            [self.events[one.name][Col.fingerprint] for one in before],
            dict(versions),
            __version__,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _refusal(self, stage: Stage) -> str:
        before = _flat(json.loads(self.events[stage.name][Col.config]))
        now = _flat(json.loads(json.dumps(stage.settings)))
        changes = [
            f"{key} was {before.get(key)!r}, is {now.get(key)!r}"
            for key in sorted(before.keys() | now.keys())
            if before.get(key) != now.get(key)
        ]
        why = "; ".join(changes) or "a stage before it or the version of Equipoise changed"
        return (
            f"stage {stage.name} of run {self.context.run_id!r} is finished with other settings ({why}): "
            f"start a run with another --run-id, or replace it and all that stands on it with --force {stage.family}"
        )

    def _record(
        self,
        stage: Stage,
        status: str,
        fingerprint: str,
        versions: Mapping[str, int],
        *,
        account: Account | None = None,
    ) -> datetime:
        at = datetime.now(UTC)
        event = Row(
            **{
                Col.run_id: self.context.run_id,
                Col.stage: stage.name,
                Col.status: status,
                Col.config: json.dumps(stage.settings, sort_keys=True),
                Col.fingerprint: fingerprint,
                Col.seed: self.context.config.seed,
                Col.input_versions: dict(versions),
                Col.code_version: __version__,
                Col.application_id: self.context.spark.sparkContext.applicationId,
                Col.at: at,
                Col.n_in: account.n_in if account else None,
                Col.n_out: account.n_out if account else None,
                Col.n_rejected: account.n_rejected if account else None,
                Col.n_dropped: account.n_dropped if account else None,
                Col.n_partitions: account.n_partitions if account else None,
                Col.drops: dict(account.drops) if account else None,
            }
        )
        self.context.workspace.append(RUNS, self.context.spark.createDataFrame([event], RUNS.schema))
        self.events[stage.name] = event
        return at


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys."""
    if not isinstance(settings, dict | list) or not settings:
        return {prefix.rstrip("."): settings}
    pairs = settings.items() if isinstance(settings, dict) else enumerate(settings)
    return {key: value for name, part in pairs for key, value in _flat(part, f"{prefix}{name}.").items()}
