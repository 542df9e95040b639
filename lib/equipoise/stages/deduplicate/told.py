"""What de-duplication did, for people."""

from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from equipoise.evaluation.names import N_REMAINING, THRESHOLD
from equipoise.pipeline.duplicates import dropped_counts
from equipoise.runs.tables import RunTables
from equipoise.schemas import DUPLICATES, METRICS, Col
from equipoise.stages.deduplicate.rows import AGAINST


def print_duplicates(run: RunTables, console: Console) -> None:
    """Prints how many items go, in how many groups, by what they are copies of; of SemDeDup what each round left."""
    dropped = dropped_counts(run.rows(DUPLICATES)).orderBy(Col.method).collect()  # a row a method
    wanted = run.rows(METRICS).where(F.col(Col.name).isin(THRESHOLD, N_REMAINING))
    values = {(row[Col.name], row[Col.group]): row[Col.value] for row in wanted.collect()}  # some a round
    threshold = next((value for (name, _), value in values.items() if name == THRESHOLD), None)
    above = f", above a cosine of {threshold:.6g}" if threshold is not None else ""
    line = "copies that do not go on:" if dropped else f"copies that do not go on{above}: none"
    console.print(line, markup=False, soft_wrap=True)
    table = Table("found by", "above a cosine of", "items", "groups")
    for row in dropped:
        least = _of_sets(run) if row[Col.method].startswith(AGAINST) else threshold
        shown = "" if least is None else f"{least:.6g}"
        table.add_row(row[Col.method], shown, f"{row[Col.n_items]:,}", f"{row[Col.n_groups]:,}")
    if dropped:
        console.print(table)
    curve = sorted((int(group.partition("=")[2]), n) for (name, group), n in values.items() if name == N_REMAINING)
    if curve:
        shown = ", ".join(f"{number}: {n:,.0f}" for number, n in curve)
        console.print(f"items that remain after round {shown}", markup=False, soft_wrap=True)


def _of_sets(run: RunTables) -> float | None:
    settings = [run.settings(name).get("against") for name in run.done("deduplicate")]
    return next((one["threshold"] for one in settings if isinstance(one, dict)), None)
