"""A run: brings the nodes of a graph up to date, one after the other, and writes down what became of each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console

from equipoise.pipeline.frames import for_few_rows, grouped_jobs
from equipoise.runs.account import SILENT, Account, Progress
from equipoise.runs.context import Context, RunView
from equipoise.runs.graph import AnyNode, Graph
from equipoise.runs.node import loaded
from equipoise.runs.origins import pin_of
from equipoise.runs.origins import refuse as refuse_other_origins
from equipoise.runs.question import Question
from equipoise.runs.record import DONE, FAILED, FORGOTTEN, REMOVED, REPLACED, Event, Record, begun, ended, event_of
from equipoise.runs.steps import Outside, State, Step, check_parents, check_steps, steps_of
from equipoise.schemas import RUNS, Col, Slice, slice_of
from equipoise.tables import Workspace

FEW_ITEMS = 10_000
"""Up to so many, contents and vectors included, are one task's work."""


@dataclass(frozen=True)
class Outcome:
    """How a node ended: what it counted, and whether that was now or earlier."""

    stage: str
    account: Account
    seconds: float
    was_skipped: bool

    def text(self) -> str:
        """As a line for the user."""
        how = "already done" if self.was_skipped else f"{self.seconds:.1f} s"
        return f"{self.stage}: {self.account.text()} ({how})"


def read_record(workspace: Workspace, run_id: str) -> Record:
    """The events of a run; none where there is no such run."""
    if not workspace.exists(RUNS):
        return Record()
    rows = workspace.read(Slice(RUNS, {Col.run_id: run_id})).collect()  # two a node and attempt
    return Record([event_of(row.asDict()) for row in rows])


class Run:
    """One run id over a workspace."""

    def __init__(
        self, graph: Graph, *, spark: SparkSession, workspace: Workspace, run_id: str, progress: Progress = SILENT
    ):
        """Reads what the run did so far."""
        self.graph, self.spark, self.workspace, self.run_id, self.progress = graph, spark, workspace, run_id, progress
        self.record = read_record(workspace, run_id)
        self._waiting: list[Event] = []

    def steps(self, force: Sequence[str] = ()) -> dict[str, Step]:
        """What follows for every node of the graph."""
        outside = {node.name: self._outside(node) for node in self.graph.order if node.outside}
        return steps_of(self.graph, self.record, force=force, outside=outside)

    def bring(self, targets: Sequence[str], force: Sequence[str] = ()) -> Iterator[Outcome]:
        """Brings the nodes ``targets`` up to date, in order; what they stand on must be finished or among them.

        Raises:
            RunError: that is not so, or one is finished with other settings and not forced: told before any work.
            ConfigError: a source has its items from another place.
        """
        steps = self.steps(force)
        check_steps(steps, targets, self.graph, record=self.record, run_id=self.run_id)
        refuse_other_origins(self.workspace, map(steps.__getitem__, targets))
        for name in targets:
            if steps[name].state is not State.DONE:
                parents = [steps[parent].state for parent in self.graph.parents(name)]
                self._check(steps[name].node, is_stored=all(state is State.DONE for state in parents))
        self._remove([event for event in self.record.events if event.is_to_go])
        try:
            for name in targets:
                yield self._brought(steps[name])
        finally:
            self._write_down()

    def answer(self, question: Question, value: Any, console: Console) -> Sequence[str]:
        """Answers a question about what the run has so far; nothing of it is written down.

        Raises:
            RunError: what it stands on is not finished, or with other settings.
        """
        name = question.node(self.graph.config)
        check_parents(self.steps(), name, self.graph, record=self.record, run_id=self.run_id)
        node = self.graph[name]
        with grouped_jobs(self.spark, f"{self.run_id}/{node.name}"), self._planned_by_size(node):
            overrides: Sequence[str] = loaded(question.answer)(self._context(node), value, console)
        return overrides

    def _check(self, node: AnyNode, *, is_stored: bool) -> None:
        node.checked()
        for check in (node.check_on_spark, node.check_stored if is_stored else None):
            if check:
                loaded(check)(self._context(node), node.settings)

    def _brought(self, step: Step) -> Outcome:
        event = self.record.get(step.node.name)
        if step.state is State.DONE and event and event.account:
            return Outcome(step.node.name, event.account, 0.0, was_skipped=True)
        if step.state is State.AGAIN:
            if not step.is_forced:
                self.progress.message(f"{step.node.name}: settings or what it reads changed, it is done again")
            self._replace(step.node, is_forced=step.is_forced)
        return self._worked(step, is_first_attempt=step.state is not State.CONTINUE)

    def _worked(self, step: Step, *, is_first_attempt: bool) -> Outcome:
        node, before = step.node, self.record.get(step.node.name)
        if not is_first_attempt:
            self._drop_copies(node)
        found = self._versions(node)
        pins = dict(before.pins) if before and not is_first_attempt else {**found, **step.outside, **pin_of(node)}
        event = begun(node, step.fingerprint, self.graph.parents(node.name), pins)
        self._note(event)
        self._write_down()
        context = replace(self._context(node), is_first_attempt=is_first_attempt, pins=pins, shared=found)
        try:
            with grouped_jobs(self.spark, f"{self.run_id}/{node.name}"), self._planned_by_size(node):
                account: Account = loaded(node.work)(context, node.settings)
            account.check(node.name)
            done = ended(event, DONE, account=account, made=_made(context))
        except Exception:  # of any kind, and raised again: the event is for those who read the table
            with suppress(Exception):  # Spark itself may be gone
                self._note(ended(event, FAILED))
                self._write_down()
            raise
        self._note(done)  # written with the next one's beginning: a commit costs half a second
        return Outcome(node.name, account, (done.at - event.at).total_seconds(), was_skipped=False)

    def _planned_by_size(self, node: AnyNode) -> AbstractContextManager[None]:
        """A small pool's run is all overhead; what is small is known from those before."""
        accounts = [event.account for event in map(self.record.get, self.graph.parents(node.name)) if event]
        n_items = max((account.goes_on for account in accounts if account), default=FEW_ITEMS + 1)
        return for_few_rows(self.spark, n_items, few=FEW_ITEMS)

    def _versions(self, node: AnyNode) -> dict[str, int]:
        """The versions of shared tables before it adds to them: one that goes on later counts from the first."""
        versions = {table.name: self.workspace.version(table) for table in {part.table for part in node.shares}}
        return {name: version for name, version in versions.items() if version is not None}

    def _drop_copies(self, node: AnyNode) -> None:
        """An attempt may have ended between rows that another run added, too, and the look for them."""
        for part in node.shares:
            self.workspace.drop_copies(part)

    def _replace(self, node: AnyNode, *, is_forced: bool) -> None:
        """Removes what a node and those that stand on it made, nodes that the config names no longer included."""
        names = {node.name, *self.graph.descendants(node.name, also=self.record.edges)}
        begun_ones = [event for event in self.record.events if event.stage in names and event.has_begun]
        gone = [ended(one, FORGOTTEN if is_forced and self._shared(one) else REPLACED, pins={}) for one in begun_ones]
        for event in gone:
            self._note(event)
        self._write_down()
        self._remove(gone)

    def _remove(self, events: Sequence[Event]) -> None:
        """Removes what nodes made, as their record has it, those before last; of the forgotten also what they share."""
        for event in reversed(events):
            own = [part for part in _slices(event) if part.table.is_of_run]
            for part in [*own, *(self._shared(event) if event.status == FORGOTTEN else ())]:
                self.workspace.clear(part.of_run(self.run_id))
            self._note(ended(event, REMOVED))

    def _shared(self, event: Event) -> list[Slice]:
        """What it made and is to make again: what it made for another encoder, other runs may use."""
        shares = self.graph[event.stage].shares if event.stage in self.graph else ()
        return [part for part in shares if part.path in event.made]

    def _outside(self, node: AnyNode) -> Outside:
        found: Mapping[str, int | None] = loaded(node.outside or "")(self._context(node), node.settings)
        return found

    def _context(self, node: AnyNode) -> Context:
        view = RunView(self.run_id, self.graph, self.record, self.workspace)
        return Context(self.spark, node, view, self.progress)

    def _note(self, event: Event) -> None:
        before = self.record.get(event.stage)
        if before is not None and event.at <= before.at:  # another machine's clock is ahead
            event = replace(event, at=before.at + timedelta(microseconds=1))
        self.record.add(event)
        self._waiting.append(event)

    def _write_down(self) -> None:
        if not self._waiting:
            return
        application_id = self.spark.sparkContext.applicationId
        rows = [event.row(self.run_id, application_id) for event in self._waiting]
        self._waiting = []
        schema = RUNS.schema
        events = self.spark.createDataFrame([tuple(row[name] for name in schema.names) for row in rows], schema)
        self.workspace.append(Slice(RUNS), events)


def _made(context: Context) -> dict[str, int | None]:
    return {part.path: context.shared.get(part.table.name) for part in context.node.makes}


def _slices(event: Event) -> list[Slice]:
    return [part for part in map(slice_of, event.made) if part is not None]
