"""The page's section on copies: the funnel, the rounds, the histograms, pairs at the threshold, and groups."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from equipoise.report import formats
from equipoise.report.content import Report, StageFacts
from equipoise.report.duplicates import Duplicates, Pair, Pairs
from equipoise.report.items import Item
from equipoise.report.page import render
from equipoise.report.plots import remaining_plot, similarity_plot
from report.fakes import copies, facts


def section(found: Duplicates | None) -> str:
    """The HTML of the section."""
    html = render(Report(run=facts(), duplicates=found))
    return html[html.index('<section id="duplicates">') :].split("</section>")[0]


def plain(found: Duplicates | None) -> str:
    html = re.sub(r"<svg\b.*?</svg>", " ", section(found), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def of_semdedup(*remaining: int) -> Duplicates:
    drops = {f"semdedup:{n}": before - after for n, (before, after) in enumerate(pairwise(remaining), 1)}
    pairs = Pairs(5, [0.8, 0.9, 1.0], [3, 2], 0.8, above=[Pair(Item(1), Item(2), 0.8125)], is_of_drops=True)
    return Duplicates(remaining[0], remaining[-1], drops, n_items=9, n_groups=4, pairs=[pairs], remaining=remaining)


def test_the_funnel_says_what_went_in_why_some_do_not_go_on_and_how_many_do():
    text = plain(copies())
    assert "20 of 1,000 items do not go on. 30 items lie in 10 groups of duplicates." in text
    attack = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert f"items looked at 1,000 against {attack} -8 copies -12 go on 980" in text
    assert re.findall(r"--w: ([\d.]+)%", section(copies())) == ["100", "0.800", "1.200", "98.000"]


def test_every_kind_of_pairs_is_told_with_how_many_are_stored_and_down_to_where():
    text = plain(copies())
    assert "Equal files or contents 7" in text
    assert "Inside the pool 1,015 0.6 0.8 looked for in neighbouring clusters, where 98.8% of a sample's" in text
    assert "Pool and val 0 0.45 0.45" in text
    assert "the nearest 64 pairs of a kind are stored, at most. Those with 2 more sets are in the table" in text
    exact = replace(copies().pairs[0], recall=None)
    assert "Inside the pool 1,015 0.6 0.8 all pairs were compared" in plain(replace(copies(), pairs=[exact]))


def test_pairs_above_and_below_the_threshold_stand_side_by_side_with_their_cosine():
    html = section(copies())
    rows = re.findall(r'<figure>\s*<ul class="items">(.*?)<figcaption>(0\.\d{4})</figcaption>', html, flags=re.DOTALL)
    pictures = [(re.findall(r'aria-label="(item \d)"', items), cosine) for items, cosine in rows]
    assert pictures == [
        (["item 1", "item 2"], "0.8125"), (["item 1", "item 3"], "0.7875"), (["item 1", "item 4"], "0.9050"),
    ]  # fmt: skip
    text = plain(copies())
    assert text.index("Just above 0.8: duplicates") < text.index("0.8125") < text.index("Just below: not")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"stored_above": 0.8}, "Pairs below the threshold are not stored: deduplicate.stored_above in the config"),
        ({}, "No pair lies between 0.6, down to where they are stored, and the threshold."),
        ({"of": "val", "stored_above": 0.8}, "Pairs with a set are stored down to its threshold"),
        ({"is_of_drops": True}, "SemDeDup stores the pairs of what it drops alone"),
    ],
)
def test_where_no_pair_is_below_the_threshold_the_page_says_why(changes, said):
    pairs = replace(copies().pairs[0], below=(), **changes)
    text = plain(replace(copies(), pairs=[pairs]))
    assert said in text and "Just below" not in text


def test_a_group_begins_with_the_item_kept_or_with_the_item_of_the_set_for_which_all_go():
    text = plain(copies())
    attack = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert "kept, of 3 0.900" in text
    assert f"of {attack}: all 2 go 0.850 in the group" in text


def test_of_semdedup_a_curve_shows_what_remains_after_each_round():
    html, text = section(of_semdedup(100, 60, 50)), plain(of_semdedup(100, 60, 50))
    assert html.count('aria-label="Items that remain after each round"') == 1
    assert "looked at 100 semdedup -50 go on 50" in text
    assert "round dropped remain of all 1 40 60 60.0% 2 10 50 50.0%" in text
    assert f"Dropped items 5 {formats.MISSING} 0.8 each with what it went for" in text


def test_one_round_is_a_row_and_no_curve():
    html, text = section(of_semdedup(100, 60)), plain(of_semdedup(100, 60))
    assert "Items that remain after each round" not in html and "<details>" not in html
    assert "semdedup -40" in text and "1 40 60 60.0%" in text


def test_a_pool_without_duplicates_and_one_that_is_not_decided_yet_say_so():
    assert "None of 9 items is a duplicate: all go on." in plain(Duplicates(9, 9, pairs=[Pairs(0, [], [], 0.6)]))
    begun = plain(Duplicates(pairs=[replace(copies().pairs[0], threshold=None, above=(), below=())]))
    assert "which items go is not decided yet" in begun
    assert f"1,015 0.6 {formats.MISSING}" in begun and "at the threshold" not in begun


def test_items_without_contents_are_shown_by_their_names():
    nameless = Pair(Item(5), Item(6, key="web/6", uri="s3://b/6.png"), 0.8125)
    found = replace(copies(), groups=(), pairs=[replace(copies().pairs[0], above=[nameless], below=())])
    assert "item 5 web/6 s3://b/6.png 0.8125" in plain(found)


def test_the_funnel_of_the_run_tells_rounds_together():
    drops = {f"semdedup:{n}": 10 for n in (1, 2, 10)} | {"against:my_set": 5, "zero_vector": 1, "copies": 0}
    stage = StageFacts("deduplicate:semdedup", "done", 1.0, 1, 100, 64, 0, drops)
    text = " ".join(re.sub(r"<[^>]+>", " ", render(Report(run=replace(facts(), stages=[stage])))).split())
    assert "100 64 0 5 against my_set, 30 semdedup, 1 zero vector" in text


class TestPlots:
    def texts(self, svg: str) -> list[str]:
        return [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]

    def test_the_threshold_is_a_line_where_it_lies(self):
        svg = similarity_plot(Pairs(4, [0.5, 0.6, 0.7], [3, 1], 0.575), key="k")
        bars, line = (
            [float(x) for x in re.findall(r"[ML] ([\d.]+) ", re.search(rf'd="([^"]*)"[^>]*{style}', svg)[1])]
            for style in (r"fill: var\(--pool\)", r"stroke: var\(--s1\)")
        )
        assert line[0] == line[1] == pytest.approx(bars[0] + 0.375 * (max(bars) - bars[0]), abs=0.01)

    def test_bars_that_would_vanish_beside_the_largest_are_drawn_by_factors_of_ten(self):
        even, steep = (
            self.texts(similarity_plot(Pairs(9, [0.5, 0.6, 0.7, 0.8], counts, 0.6), key="k"))
            for counts in ([3, 2, 1], [100_000, 2, 1])
        )
        assert "100" not in even
        assert {"1", "100", "10,000"} <= {*steep} or {"1", "10", "1,000"} <= {*steep}

    def test_what_remains_falls_from_all_items(self):
        svg = remaining_plot([100, 60, 50], key="k")
        path = re.search(r'd="(M [^"]*)"[^>]*style="fill: none; stroke: var\(--s1\)', svg)
        points = [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path[1])]
        fallen = [y - points[0][1] for _, y in points]
        assert len(points) == 3 and fallen[1] / fallen[2] == pytest.approx(40 / 50, abs=0.01)
