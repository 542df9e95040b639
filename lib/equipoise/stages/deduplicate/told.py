"""What de-duplication did, for people."""

from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from equipoise.evaluation.names import N_REMAINING, THRESHOLD
from equipoise.pipeline.duplicates import dropped_counts
from equipoise.runs.tables import RunTables
from equipoise.schemas import DUPLICATES, METRICS, Col


def print_duplicates(run: RunTables, console: Console) -> None:
    """Prints how many items go, in how many groups, by what they are copies of; of SemDeDup what each round left."""
    dropped = dropped_counts(run.rows(DUPLICATES)).orderBy(Col.method).collect()  # a row a method
    wanted = run.rows(METRICS).where(F.col(Col.name).isin(THRESHOLD, N_REMAINING))
    values = {(row[Col.name], row[Col.group]): row[Col.value] for row in wanted.collect()}  # some a round
    threshold = next((value for (name, _), value in values.items() if name == THRESHOLD), None)
    title = "copies that do not go on" + (f", above a cosine of {threshold:.4g}" if threshold is not None else "")
    console.print(f"{title}:" if dropped else f"{title}: none", markup=False, soft_wrap=True)
    table = Table("found by", "items", "groups")
    for row in dropped:
        table.add_row(row[Col.method], f"{row[Col.n_items]:,}", f"{row[Col.n_groups]:,}")
    if dropped:
        console.print(table)
    curve = sorted((int(group.partition("=")[2]), n) for (name, group), n in values.items() if name == N_REMAINING)
    if curve:
        shown = ", ".join(f"{number}: {n:,.0f}" for number, n in curve)
        console.print(f"items that remain after round {shown}", markup=False, soft_wrap=True)
