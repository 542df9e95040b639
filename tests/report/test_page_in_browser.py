"""The page in a browser: it loads nothing, runs nothing of the data, opens, sorts, and fits a phone."""

from pathlib import Path

import pytest

from browser import Visit, started
from equipoise.report.page import render
from equipoise.report.plots import MOST_TINTS
from report.fakes import whole_report


@pytest.fixture(scope="module")
def browser():
    with started() as browser:
        yield browser


@pytest.fixture(scope="module", params=["images", "texts"])
def path(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(whole_report(is_text=request.param == "texts")), encoding="utf-8")
    return path


def test_nothing_of_the_data_runs_and_no_request_leaves(browser, path):
    visit = Visit(browser, path)
    for summary in visit.page.query_selector_all("#tree > details > summary"):
        summary.click()
    assert visit.is_clean, visit.complaints
    assert visit.page.locator("section").count() == 9
    assert visit.page.locator("script").count() == 1


def test_a_click_opens_a_cluster_and_another_its_child(browser, path):
    page = Visit(browser, path).page
    child = page.locator("#tree details details").first
    assert not child.is_visible()
    page.locator("#tree > details > summary").first.click()
    assert child.is_visible() and not child.locator(".kind").first.is_visible()
    child.locator("summary").click()
    assert child.locator(".kind").first.is_visible()
    assert child.locator(".kind > span").all_inner_texts() == ["closest", "random", "farthest"]


def names(page) -> list[str]:
    return [name.split()[1] for name in page.locator("#tree > details > summary .name").all_inner_texts()]


def test_clusters_are_sorted_by_size_or_by_how_much_they_shrank(browser, path):
    page = Visit(browser, path).page
    assert names(page) == ["1", "2", "3", "4", "5"]
    page.locator("button[data-key=ratio]").click()
    assert names(page) == ["5", "4", "3", "2", "1"]
    assert page.locator("button[data-key=ratio]").get_attribute("aria-pressed") == "true"
    page.locator("button[data-key=size]").click()
    assert names(page) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("width", [360, 375, 1100])
def test_nothing_is_wider_than_the_window(browser, path, width):
    visit = Visit(browser, path, width=width)
    visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert visit.overflow() <= 0


def test_day_and_night_differ_and_both_can_be_read(browser, path):
    day, night = (Visit(browser, path, scheme=scheme) for scheme in ("light", "dark"))
    assert day.background() != night.background()
    assert min(day.contrast("var(--ink)"), night.contrast("var(--ink)")) > 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_muted_and_what_is_drawn_stands_out_by_day_and_night(browser, path, scheme):
    visit = Visit(browser, path, scheme=scheme)
    muted = visit.page.locator("p.note").first.evaluate("(one) => getComputedStyle(one).color")
    assert muted == visit.colour("var(--muted)")
    assert visit.contrast("var(--muted)") >= 4.5  # WCAG 2 AA for text
    graphics = ["var(--pool)", *(f"var(--s{number})" for number in range(1, MOST_TINTS + 1))]
    assert min(visit.contrast(name) for name in graphics) >= 3  # and for graphics
    assert len({visit.colour(name) for name in graphics}) == len(graphics)
    drawn = visit.page.locator("svg path").evaluate_all("(all) => all.map((one) => getComputedStyle(one).stroke)")
    assert visit.colour("var(--pool)") in drawn and visit.colour("var(--s1)") in drawn
