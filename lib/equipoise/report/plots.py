"""Plots as inline SVG that takes the page's own colours, fonts and width."""

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from equipoise.report.content import Spread
from equipoise.report.duplicates import Pairs
from equipoise.schemas import Col

Doubles = NDArray[np.float64]

SIZE = (3.5, 2.7)  # inches of 72 units: about its own size on a phone, several side by side elsewhere
MOST_POINTS = 160
MOST_TINTS = 6
MOST_MARKED = 30  # rounds that have a point each
SMALLEST_BAR = 100  # of the largest one, below which half of the bars would be hard to see
_INK, _MUTED, _POOL = "#010101", "#010102", "#010103"
_TINTS = tuple(f"#0102{number:02x}" for number in range(1, MOST_TINTS + 1))
_VARIABLES = {_INK: "currentColor", _MUTED: "var(--muted)", _POOL: "var(--pool)"} | {
    colour: f"var(--s{number})" for number, colour in enumerate(_TINTS, 1)
}
"""Colours that nothing else has stand for those of the style sheet, which differ by day and night."""
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "equipoise",
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.5,
}


def lorenz_plot(spreads: Sequence[Spread], *, key: str) -> str:
    """Lorenz curves: the share of the items in the smallest x of the groups; the diagonal is perfect balance.

    A set without items has no curve.
    """
    with _style():
        figure, axes = _panel()
        axes.plot([0, 100], [0, 100], color=_MUTED, linewidth=0.6)
        for spread in (spread for spread in spreads if spread.n_items):
            groups, items = _lorenz(spread.sizes, spread.weights)
            style = (0, (2, 1.6)) if spread.kind == "random" else "-"
            axes.plot(groups, items, color=_colour(spread), linestyle=style)
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="groups, smallest first (%)", ylabel="items (%)")
        axes.set(xticks=[0, 50, 100], yticks=[0, 50, 100])
        return _svg(figure, key)


def objective_plot(iterations: pd.DataFrame, *, key: str) -> str:
    """The objective of one level by iteration, over that of the round's first; later rounds of resampling are muted.

    Args:
        iterations: of one level: resampling, iteration, objective.
        key: of this plot, unique on the page.
    """
    with _style():
        figure, axes = _panel()
        for resampling, steps in sorted(iterations.groupby(Col.resampling), reverse=True):
            steps = steps.sort_values(Col.iteration)
            first = steps[Col.objective].iloc[0] or 1.0
            is_first = resampling == 0
            colour, width, marker = (_INK, 1.5, ".") if is_first else (_POOL, 0.8, "")
            values = steps[Col.objective] / first
            axes.plot(steps[Col.iteration], values, color=colour, linewidth=width, marker=marker, markersize=4)
        axes.set(xlabel="iteration", ylabel="objective / first")
        axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        return _svg(figure, key)


def similarity_plot(pairs: Pairs, *, key: str) -> str:
    """The histogram of the similarities of some pairs, with the threshold as a line.

    Bars that would be too small to be seen beside the largest are made larger: by factors of ten.
    """
    counts = np.asarray(pairs.counts, dtype=float)
    with _style():
        figure, axes = _panel()
        axes.stairs(counts, pairs.edges, fill=True, color=_POOL)
        if pairs.threshold is not None:
            axes.axvline(pairs.threshold, color=_TINTS[0], linewidth=1.2)
        axes.set(xlabel="cosine", ylabel="pairs", ylim=(0, None))
        if counts.max() > SMALLEST_BAR * np.median(counts[counts > 0]):
            axes.set(yscale="log", ylim=(0.7, 2 * counts.max()))
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.locator_params(axis="x", nbins=5)
        return _svg(figure, key)


def remaining_plot(remaining: Sequence[int], *, key: str) -> str:
    """The items that remain after each round, from those before the first one."""
    with _style():
        figure, axes = _panel()
        marker = "." if len(remaining) <= MOST_MARKED else ""
        axes.plot(range(len(remaining)), remaining, color=_TINTS[0], marker=marker, markersize=5)
        axes.set(xlabel="round", ylabel="items that remain", ylim=(0, None))
        axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        axes.yaxis.set_major_formatter("{x:,g}")
        return _svg(figure, key)


def classes_plot(points: Mapping[str, tuple[Doubles, Doubles]], *, label: str, key: str) -> str:
    """Something of each class against the size of the class, both by factors of ten.

    Args:
        points: by the name of the set, the pool first: the sizes and what is shown of each class, (n,) each, positive.
        label: what is shown.
        key: of this plot, unique on the page.
    """
    with _style():
        figure, axes = _panel()
        for colour, marker, (sizes, values) in zip((_POOL, _TINTS[0]), "o.", points.values(), strict=False):
            axes.plot(sizes, values, marker, color=colour, markersize=4, markerfacecolor="none", linestyle="none")
        drawn = [np.concatenate(parts) for parts in zip(*points.values(), strict=True)]
        axes.set(xscale="log", yscale="log", xlabel="items of the class", ylabel=label)
        axes.set(xlim=_decades(drawn[0]), ylim=_decades(drawn[1]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,g}")
        return _svg(figure, key)


def fit_plot(
    points: Mapping[str, tuple[Doubles, Doubles]], lines: Mapping[str, tuple[float, float]], *, key: str
) -> str:
    """The clusters of each class against the size of the class, and the line that fits them.

    Args:
        points: by the name of the set, the pool first: the sizes and numbers of clusters of the classes, (n,) each.
        lines: intercept and slope, by the name of the set; without one, where there is no fit.
        key: of this plot, unique on the page.
    """
    with _style():
        figure, axes = _panel()
        for colour, marker, (name, (sizes, n_clusters)) in zip((_POOL, _TINTS[0]), "o.", points.items(), strict=False):
            axes.plot(sizes, n_clusters, marker, color=colour, markersize=4, markerfacecolor="none", linestyle="none")
            if name in lines:
                intercept, slope = lines[name]
                ends = np.array([sizes.min(), sizes.max()])
                axes.plot(ends, intercept + slope * ends, color=colour, linewidth=1.2)
        axes.set(xlabel="items of the class", ylabel="clusters", xlim=(0, None), ylim=(0, None))
        axes.locator_params(nbins=4)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,g}")
        return _svg(figure, key)


def _decades(values: Doubles) -> tuple[float, float]:
    """The powers of ten around the values, so that an axis has two with a number at least."""
    low, high = np.floor(np.log10([values.min(), values.max()]))
    return 10.0**low, 10.0 ** (high + 1)


def _style() -> AbstractContextManager[None]:
    return matplotlib.rc_context(_SETTINGS)  # type: ignore[arg-type, unused-ignore]


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    return figure, figure.subplots()


def _colour(spread: Spread) -> str:
    return _POOL if spread.kind == "pool" else _TINTS[spread.tint % MOST_TINTS]


def _lorenz(sizes: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Percent of groups and of items, from 0 to 100, at most so many points."""
    order = np.argsort(sizes, kind="stable")
    groups, items = np.cumsum(weights[order]), np.cumsum((sizes * weights)[order])
    shares = [np.concatenate([[0.0], 100 * total / (total[-1] or 1.0)]) for total in (groups, items)]
    if len(shares[0]) > MOST_POINTS:
        # even along the curve, not along one axis: the steep end has few groups
        length = np.cumsum(np.abs(np.diff(shares[0], prepend=0)) + np.abs(np.diff(shares[1], prepend=0)))
        kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], MOST_POINTS)).clip(0, len(length) - 1))
        kept[-1] = len(length) - 1
        shares = [share[kept] for share in shares]
    return shares[0], shares[1]


def _svg(figure: Figure, key: str) -> str:
    """The figure without its own size, fonts and colours; its ids are its own among those of the page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 aria-hidden="true"', svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)  # one way to write it
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)  # and another
    numbers = count()
    for name in dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)):
        new = f"{key}-{next(numbers)}"
        svg = svg.replace(f'id="{name}"', f'id="{new}"').replace(f"#{name})", f"#{new})")
        svg = svg.replace(f'href="#{name}"', f'href="#{new}"')
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg.strip()
