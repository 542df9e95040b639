"""A plan and a suggestion, as they are printed."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from equipoise.planning.costs import LevelCost
from equipoise.planning.machines import Machine
from equipoise.planning.suggestions import Suggestion
from equipoise.studies.costs.plan import CostPlan
from equipoise.studies.costs.units import duration, size

WIDTH = 140


def print_plan(plan: CostPlan, console: Console) -> None:
    """A column a level, a row a quantity; then the whole and the notes."""
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)  # a file or a pipe is as wide as it needs to be
    console.print(f"{plan.n:,} vectors of {plan.dim:,} numbers on {_described(plan.machine)}", soft_wrap=True)
    if plan.origins:
        told = "; ".join(f"{what}: {origin}" for what, origin in plan.origins.items())
        console.print(f"({told})", soft_wrap=True, markup=False)
    table = Table("")
    for cost in plan.costs:
        table.add_column(f"level {cost.number}", justify="right")
    columns = [_column(cost) for cost in plan.costs]
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    console.print(table)
    iterations = f"{plan.kmeans.iterations} iterations"
    console.print(f"in all: {duration(plan.seconds)}, where every k-means takes all its {iterations}", soft_wrap=True)
    for note in plan.notes:
        console.print(f"- {note}", soft_wrap=True)


def print_suggestion(suggestions: Sequence[Suggestion], target: int, console: Console) -> None:
    """Sections of a config, with the reasons as comments."""
    lines = ["cluster:", "  levels:"]
    for suggestion in suggestions:
        level = suggestion.level
        keys = [f"k: {level.k:_}"]
        keys += [f"splits: {level.splits}"] if level.splits > 1 else []
        keys += [f"resampling: {{rounds: {level.rounds}, points: {level.points}}}"] if level.rounds else []
        lines.append(f"    - {{{', '.join(keys)}}} # {suggestion.reason}")
    lines += ["select:", f"  - {{name: balanced, target: {target:_}}}"]
    console.print("\n".join(lines), soft_wrap=True, markup=False)


def _described(machine: Machine) -> str:
    rate = f"{machine.gflops_per_core:.0f} GFLOP/s a core"
    if machine.gpus:
        rate = f"{machine.gpus} GPUs, {machine.tflops_per_gpu:g} TFLOP/s each"
    if machine.is_local:
        return f"this machine: {machine.cores} cores, {size(machine.memory_bytes)}, {rate}"
    return (
        f"{machine.executors:,} executors: {machine.cores} cores, {size(machine.memory_bytes)}, {rate}; "
        f"driver {size(machine.driver_memory_bytes)}"
    )


def _column(cost: LevelCost) -> dict[str, str]:
    level, parts = cost.level, cost.seconds.parts
    clusters = f"{level.k:,}" if level.splits == 1 else f"{level.k0:,} x {level.splits:,}"
    slowest = sorted(parts, key=lambda name: -parts[name])[:2]
    shares = [f"{name} {parts[name] / cost.seconds.total:.0%}" for name in slowest if parts[name]]
    return {
        "input": f"{cost.entry.n:,}",
        "clusters": clusters,
        "resampling": f"{level.rounds} x {level.resampled(cost.entry.n):,}" if level.rounds else "-",
        "where": cost.where,
        "flops": f"{cost.flops:.1e}",
        "broadcast, an iteration": size(cost.broadcast_bytes),
        "reduction, an iteration": size(cost.reduction_bytes),
        "reduced by": cost.reduction,
        "storage": size(cost.storage_bytes),
        "memory, executor's Python": size(cost.executor_memory_bytes),
        "memory, driver": size(cost.driver_memory_bytes),
        "time": duration(cost.seconds.total),
        "most of it": shares[0],
        "then": shares[1] if len(shares) > 1 else "-",
    }
