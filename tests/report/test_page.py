"""The page from plain values: complete, self-contained, and data stay text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from equipoise.report import formats
from equipoise.report.content import (
    Balance,
    ClassSizes,
    Failure,
    Report,
    SelectionFacts,
    Spread,
    StageFacts,
)
from equipoise.report.items import Item
from equipoise.report.measurements import Metric, Metrics
from equipoise.report.page import render
from equipoise.report.plots import MOST_POINTS, classes_plot, fit_plot, lorenz_plot
from report.fakes import ATTACK, facts, spread, whole_report

SECTIONS = ("run", "balance", "objective", "selections", "clusters", "rejects", "duplicates", "failures", "metrics")


class Outline(HTMLParser):
    """Tags with their attributes, ids, and the text of what the reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


@pytest.fixture(scope="module")
def html() -> str:
    return render(whole_report(is_text=True))


def test_every_section_is_there_once_with_a_heading(html):
    outline = Outline(html)
    assert [one["id"] for tag, one in outline.tags if tag == "section"] == list(SECTIONS)
    assert len([tag for tag, _ in outline.tags if tag == "h2"]) == len(SECTIONS)
    assert len(outline.ids) == len(set(outline.ids))


def test_texts_of_the_data_stay_text(html):
    outline = Outline(html)
    assert [tag for tag, _ in outline.tags if tag == "script"] == ["script"]  # the page's own
    assert "img" not in {tag for tag, _ in outline.tags}
    assert not [one for _, one in outline.tags if any(name.startswith("on") for name in one)]
    assert outline.text.count(ATTACK) > 10


def test_nothing_is_loaded_from_anywhere(html):
    outline = Outline(html)
    links = [one[name] for _, one in outline.tags for name in ("src", "href", "xlink:href") if name in one]
    assert links and all(link.startswith("#") for link in links)
    assert set(re.findall(r"url\(([a-z]*)", html)) <= {"data", ""}
    policy = next(one["content"] for _, one in outline.tags if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;") and "'sha256-" in policy


def test_the_same_values_give_the_same_page():
    assert render(whole_report()) == render(whole_report())


def test_a_thumbnail_is_on_the_page_once_however_often_it_is_shown():
    html = render(whole_report())
    names = re.findall(r"^\.(t\d+)\{background-image:url\(data:image/webp;base64,([^)]+)\)", html, flags=re.M)
    assert len(names) == len({content for _, content in names})
    shown = re.findall(r'class="t (t\d+)"', html)
    assert set(shown) == {name for name, _ in names} and len(shown) > 2 * len(names)


def test_a_run_with_nothing_says_so_in_every_section():
    text = Outline(render(Report(run=facts()))).text
    for said in (
        "This run has made no selection yet.",
        "This run has no clusters yet",
        "No iterations",
        "No selections",
        "Nothing was rejected.",
        "looked for no duplicates",
        "The table metrics has no rows",
    ):
        assert said in text


def test_the_page_says_what_it_leaves_out(html):
    text = " ".join(Outline(html).text.split())
    assert "The 4 largest of 6 classes; 2 more" in text
    assert "Shown are 5 of 50 clusters of level 2, 15 of 1,500 clusters of level 1." in text
    assert "3 smaller clusters of level 1 are not shown." in text
    assert "The first 2 of 700 measures" in text
    assert "On top are the 3 largest, and 2 more of at least mean size whose share shrank the most in even" in text


def test_the_page_says_what_became_of_the_largest_clusters(html):
    text = " ".join(Outline(html).text.split())
    assert "The 2 largest clusters hold 96.0% of the pool, 50.0% of even and 95.0% of 300 at random." in text
    assert "1 of them shrank in even, from 90.0% of the pool to 27.0%. None of them shrank in near." in text


def test_an_empty_selection_is_shown_as_one_with_no_items():
    empty = Spread("none", "selection", 0, np.zeros(1), np.array([4.0]), {})
    report = Report(
        run=facts(),
        balances=[Balance(group, [spread("pool", "pool", [3, 1]), empty]) for group in ("level_1", "class")],
        classes=[ClassSizes("a", {"pool": 4, "none": 0})],
        selections=[SelectionFacts("none", "where item_id < 0", 0, 0)],
        compared=["none"],
    )
    html = render(report)
    text = Outline(html).text
    assert "the selection none keeps 0." in text
    for row in ("n items", "a"):
        assert re.search(rf'<th scope="row"[^>]*>{row}</th><td class="n">4</td><td class="n">0</td>', html)
    assert "normalised entropy goes" not in text


def test_a_curve_of_no_items_or_no_groups_is_left_out():
    absent = Spread("none", "selection", 0, np.zeros(0), np.zeros(0), {})
    pool = spread("pool", "pool", [3, 1])
    assert lorenz_plot([pool, absent], key="k") == lorenz_plot([pool], key="k")


def test_a_benchmark_and_a_comparison_say_what_they_are():
    benchmark = replace(facts(), source=None, stages=[StageFacts("benchmark", "done", 1.0, 1, 10, 10)])
    failures = [Failure("ours", "landmarks", 1, Item("q"), Item("p"), Item("c"), 0.25, None)]
    text = " ".join(Outline(render(Report(run=benchmark, failures=failures))).text.split())
    assert "Models were scored on benchmarks" in text and " source " not in text
    assert f"landmarks, ours item q 1. query item p predicted, 0.250 item c correct, {formats.MISSING}" in text
    compared = replace(benchmark, seed=None, code_version=None, began=None, config="", stages=[])
    text = Outline(
        render(Report(run=compared, metrics=Metrics([Metric("level_1", "gini", {"a": 1.5})], ["a"], 1)))
    ).text
    assert "Methods were compared here" in text and "no stages of its own" in text and "1.500" in text


def test_encoders_are_told_with_what_they_were_trained_on():
    told = replace(facts(), encoders=["vit-1, trained on ImageNet-1k <curated>", "pixels-2"])
    html = render(Report(run=told))
    assert "<dt>encoders</dt><dd>vit-1, trained on ImageNet-1k &lt;curated&gt;; pixels-2</dd>" in html
    assert "<dt>encoders</dt>" not in render(Report(run=facts()))


def test_stages_are_told_with_what_they_stand_on_and_measured_by_what_all_sources_had():
    sources = [StageFacts(f"ingest:{name}", "done", 1.0, 1, n, n) for name, n in (("web", 60), ("news", 40))]
    cluster = StageFacts("cluster", "done", 1.0, 1, 100, 50, stands_on=["ingest:web", "ingest:news"])
    aside = StageFacts("benchmark", "done", 1.0, 1, 7, 7)
    html = render(Report(run=replace(facts(), stages=[*sources, cluster, aside])))
    assert "<td>ingest:web, ingest:news</td>" in html
    assert re.findall(r"--w: ([\d.]+)%", html)[:3] == ["60.000", "40.000", "50.000"]


def test_the_lead_has_the_numbers_of_the_run(html):
    sets = ([900, 60, 30, 10], [80, 75, 75, 70], [270, 18, 9, 3])
    before, after, drawn = (spread("x", "pool", sizes).measures["normalised_entropy"] for sizes in sets)
    change = f"normalised entropy goes from {before:.3f} to {after:.3f} (300 at random: {drawn:.3f})."
    said = "1,010 items were read; the selection even keeps 300."
    assert f"{said} Over 4 clusters of level 2, {change} Over 4 classes, {change}" in Outline(html).text


class TestPlots:
    def curve(self, svg: str) -> np.ndarray:
        """Points of the last line, from the SVG's path."""
        paths = [path.get("d", "") for path in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")]
        return np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", max(paths, key=len)), float)

    def test_a_plot_has_the_colours_and_the_size_of_the_page(self):
        svg = lorenz_plot([spread("pool", "pool", [3, 1])], key="k")
        root = ElementTree.fromstring(svg)
        assert root.get("viewBox") and not root.get("width") and not root.get("height")
        assert "var(--pool)" in svg and "currentColor" not in svg  # ink is for objectives
        assert not re.search(r"#[0-9a-f]{6}", svg)
        assert "font-family" not in svg and "<text" in svg

    def test_classes_of_any_size_have_numbers_on_both_axes(self):
        svg = classes_plot({"pool": (np.array([20.0, 30.0]), np.array([3.0, 4.0]))}, label="clusters", key="k")
        texts = [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
        assert texts == ["10", "100", "items of the class", "1", "10", "clusters"]
        assert not re.search(r"#[0-9a-f]{6}", svg)

    def test_the_fitted_line_goes_where_the_fit_says(self):
        points = {"pool": (np.array([0.0, 10.0, 30.0]), np.array([2.0, 3.0, 9.0]))}
        bare, rising, level = (
            set(re.findall(r'd="M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+) \n"', fit_plot(points, lines, key="k")))
            for lines in ({}, {"pool": (1.0, 0.25)}, {"pool": (4.0, 0.0)})
        )
        ((left, before, right, after),) = rising - bare  # from size 0 to 30, from 1 cluster to 8.5
        ((*_, height),) = level - bare
        heights = np.array([float(before), float(after), float(height)])
        assert float(left) < float(right)
        assert (heights[0] - heights[2]) / (heights[0] - heights[1]) == pytest.approx((4 - 1) / (8.5 - 1), abs=0.01)

    def test_a_long_curve_is_thinned_to_its_shape(self):
        sizes = (np.arange(1, 100_001) ** 2).tolist()
        points = self.curve(lorenz_plot([spread("pool", "pool", sizes)], key="k"))
        assert 20 < len(points) <= MOST_POINTS + 1
        x = (points[:, 0] - points[0, 0]) / (points[-1, 0] - points[0, 0])
        y = (points[:, 1] - points[0, 1]) / (points[-1, 1] - points[0, 1])
        np.testing.assert_allclose(y, x**3, atol=2e-3)  # sum of squares up to x


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (formats.share(0.5), "50.0%"),
        (formats.share(0.0312), "3.1%"),
        (formats.share(0.00042), "0.042%"),
        (formats.share(0), "0%"),
        (formats.share(1), "100%"),
        (formats.share(1e-9), "< 0.001%"),
        (formats.measure(float("inf")), "\N{INFINITY}"),
        (formats.measure(1234567.0), "1,234,567"),
        (formats.measure(0.97654), "0.977"),
        (formats.measure(None), formats.MISSING),
        (formats.duration(59.96), "1 min 00 s"),
        (formats.duration(12000), "3 h 20 min"),
        (formats.times(0.126), "\N{MULTIPLICATION SIGN}0.13"),
    ],
)
def test_numbers_are_written_for_readers(made, expected):
    assert made == expected
