"""The page: values in, one HTML file out. It loads nothing, and shows whatever is in the data as text."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from equipoise import __version__
from equipoise.evaluation.names import (
    BALANCE,
    CLUSTERS_INTERCEPT,
    CLUSTERS_SLOPE,
    COVERAGE,
    FIT,
    MEANINGS,
    N_PRESENT,
    NORMALISED_ENTROPY,
    TOP_SHARE,
    in_words,
)
from equipoise.report import formats
from equipoise.report.content import Balance, Report, Spread
from equipoise.report.duplicates import Duplicates
from equipoise.report.items import Item
from equipoise.report.measurements import VotedClasses
from equipoise.report.plots import classes_plot, fit_plot, lorenz_plot, objective_plot, remaining_plot, similarity_plot
from equipoise.schemas import POOL_NAME, Col

CLASS, BENCHMARK = "class", "benchmark"
SHARES = (COVERAGE, TOP_SHARE)


def render(report: Report) -> str:
    """The whole page.

    Every text comes from the data as text: the templates escape it, and the page's policy lets no script run but its
    own and no request leave.
    """
    pictures = _Pictures()
    environment = _environment()
    environment.globals |= {"picture": pictures.name_of, "version": __version__}
    body = environment.get_template("body.html.j2").render(
        report=report,
        run=report.run,
        lead=lead(report),
        balances=[_panel(balance, place) for place, balance in enumerate(report.balances)],
        legend=_legend(report.balances),
        objectives=_objectives(report),
        copies=_copies(report.duplicates),
        voted=_voted(report.voted),
        failures=[
            (of, list(rows)) for of, rows in groupby(report.failures, key=lambda one: (one.benchmark, one.model))
        ],
        metrics=[(group, list(rows)) for group, rows in groupby(report.metrics.rows, key=lambda one: one.group)],
        measures=[(name, in_words(name), MEANINGS[name]) for name in BALANCE],
    )
    script = _part("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        title=f"{report.run.run_id}: curation report",
        body=Markup(body),
        style=Markup(_part("style.css")),
        pictures=Markup(pictures.style()),
        script=Markup(script),
        script_source=f"'sha256-{digest}'",
    )


def lead(report: Report) -> list[str]:
    """The run in a few sentences: what became what, and how much more even it is."""
    sentences = []
    n_found = report.run.n_found
    for selection in report.selections[:1]:
        copies = "" if selection.n_copies == selection.n_items else f" ({selection.n_copies:,} with copies)"
        begun = f"{formats.whole(n_found)} items were read; the" if n_found else "The"
        sentences.append(f"{begun} selection {selection.name} keeps {selection.n_items:,}{copies}.")
        levels = [balance for balance in report.balances if balance.group != CLASS]
        classes = [balance for balance in report.balances if balance.group == CLASS]
        sentences += [told for balance in [*levels[-1:], *classes] if (told := _change(balance, selection.name))]
    return sentences or [_without_selection(report)]


def _change(balance: Balance, selection: str) -> str | None:
    """How a selection changed the balance, beside what a random set of its size has."""
    spreads = {spread.name: spread for spread in balance.spreads if spread.measures}
    if POOL_NAME not in spreads or selection not in spreads:
        return None
    entropies = {name: spread.measures[NORMALISED_ENTROPY] for name, spread in spreads.items()}
    drawn = [one for one in spreads.values() if (one.kind, one.tint) == ("random", spreads[selection].tint)]
    beside = f" ({drawn[0].name}: {entropies[drawn[0].name]:.3f})" if drawn else ""
    n_groups = formats.whole(spreads[POOL_NAME].measures[Col.n_groups])
    return (
        f"Over {n_groups} {groups_of(balance)}, {in_words(NORMALISED_ENTROPY)} goes from {entropies[POOL_NAME]:.3f} to "
        f"{entropies[selection]:.3f}{beside}."
    )


def _without_selection(report: Report) -> str:
    if not report.run.stages:
        return "Methods were compared here: this run has metrics of what other runs made, and nothing else."
    if all(stage.name == BENCHMARK for stage in report.run.stages):
        return "Models were scored on benchmarks: this run has no pool and no clusters."
    return "This run has made no selection yet."


def groups_of(balance: Balance) -> str:
    """What the groups are called: classes, or clusters of a level."""
    return "classes" if balance.group == CLASS else f"clusters of {in_words(balance.group)}"


class _Pictures:
    """Thumbnails, each once on the page however often it is shown: as backgrounds of classes."""

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}

    def name_of(self, item: Item) -> str:
        assert item.thumbnail is not None
        return self.names.setdefault(item.thumbnail, f"t{len(self.names)}")

    def style(self) -> str:
        return "\n".join(
            f".{name}{{background-image:url(data:image/webp;base64,{base64.b64encode(content).decode()})}}"
            for content, name in self.names.items()
        )


def _panel(balance: Balance, place: int) -> dict[str, Any]:
    plot = Markup(lorenz_plot(balance.spreads, key=f"lorenz{place}"))
    name = in_words(balance.group).capitalize() if balance.group != CLASS else "Classes"
    return {"group": balance.group, "name": name, "spreads": balance.spreads, "plot": plot}


def _legend(balances: Sequence[Balance]) -> list[Spread]:
    named = {spread.name: spread for balance in balances for spread in balance.spreads}
    return list(named.values())


def _voted(voted: VotedClasses | None) -> dict[str, Any] | None:
    """The two plots of Vo et al. 2024, figure 4, and the measures of balance and of the fit that the table has."""
    if voted is None:
        return None
    sets = {
        name: (points[Col.n_items].to_numpy(), points[Col.n_clusters].to_numpy())
        for name, points in voted.points.items()
        if len(points)
    }
    means = {name: (sizes, sizes / n_clusters) for name, (sizes, n_clusters) in sets.items()}
    measures = {name: values for name, values in voted.measures.items() if values}
    lines = {
        name: (values[CLUSTERS_INTERCEPT], values[CLUSTERS_SLOPE])
        for name, values in measures.items()
        if CLUSTERS_SLOPE in values
    }
    plots = {
        "Clusters of a class": Markup(fit_plot(sets, lines, key="voted0")),
        "Their mean size": Markup(classes_plot(means, label="items a cluster", key="voted1")),
    }
    return {
        "plots": plots,
        "measures": measures,
        "rows": [(name, in_words(name), MEANINGS[name]) for name in (*BALANCE, *FIT)],
        "n_classes": max(len(points) for points in voted.points.values()),
        "has_lines": bool(lines),
    }


def _objectives(report: Report) -> list[dict[str, Any]]:
    """By level: the plot, and one row for the first clustering, one for all rounds of resampling."""
    if report.iterations is None:
        return []
    panels = []
    for level, steps in report.iterations.groupby(Col.level):
        plot = Markup(objective_plot(steps, key=f"objective{level}"))
        first, rounds = steps[steps[Col.resampling] == 0], steps[steps[Col.resampling] > 0]
        rows = [_objective_row("first clustering", first)] if len(first) else []
        if len(rounds):
            n_rounds = rounds[Col.resampling].nunique()
            rows.append(_objective_row(f"{n_rounds} round{'s' * (n_rounds > 1)} of resampling", rounds))
        panels.append({"level": level, "plot": plot, "rows": rows})
    return panels


def _objective_row(name: str, steps: Any) -> dict[str, Any]:
    ordered = steps.sort_values([Col.resampling, Col.iteration])
    last = ordered[ordered[Col.resampling] == ordered[Col.resampling].iloc[-1]]
    return {
        "name": name,
        "iterations": len(ordered),
        "first": float(last[Col.objective].iloc[0]),
        "last": float(last[Col.objective].iloc[-1]),
        "empty": int(last[Col.n_empty].iloc[-1]),
        "seconds": float(ordered[Col.seconds].sum()),
    }


def _copies(found: Duplicates | None) -> dict[str, Any]:
    """Of what a run found of copies the plots: a histogram of every kind of pairs that has some, and the rounds."""
    pairs, remaining = (found.pairs, found.remaining) if found else ((), ())
    plots = [
        Markup(similarity_plot(one, key=f"similarity{place}")) if one.n else None for place, one in enumerate(pairs)
    ]
    curve = Markup(remaining_plot(remaining, key="remaining")) if len(remaining) > 2 else None
    return {"histograms": [*zip(pairs, plots, strict=True)], "curve": curve}


def _measured(measures: Mapping[str, float], name: str) -> str:
    value = measures.get(name)
    if name == N_PRESENT and value is not None:
        return f"{formats.whole(value)} of {formats.whole(measures.get(Col.n_groups))}"
    return formats.share(value) if name in SHARES else formats.measure(value)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("equipoise.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "whole": formats.whole,
        "share": formats.share,
        "measure": formats.measure,
        "cosine": formats.cosine,
        "reasons": formats.reasons,
        "times": formats.times,
        "duration": formats.duration,
        "words": in_words,
        "measured": _measured,
    }
    return environment


@cache
def _part(name: str) -> str:
    return (resources.files("equipoise.report") / "templates" / name).read_text(encoding="utf-8")
