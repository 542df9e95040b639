"""Exact match, by hand."""

import pytest

from equipoise.errors import InputError
from equipoise.evaluation.answers import exact_matches, normalised


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Eiffel Tower.", "eiffel tower"),
        ("an apple, a day", "apple day"),
        ("theatre", "theatre"),
        ("U.S.A.", "usa"),
        ("\n1,000 \t", "1000"),
        ("Łódź", "łódź"),
        ("the", ""),
    ],
)
def test_texts_are_compared_without_case_articles_and_punctuation(text, expected):
    assert normalised(text) == expected


def test_an_answer_is_right_that_equals_one_of_the_right_ones():
    right = [["Paris"], ["1984", "nineteen eighty-four"], ["blue"], ["red"], ["the cat"]]
    given = ["paris!", "Nineteen Eighty Four", "light blue", None, "A cat"]
    assert exact_matches(given, right).tolist() == [True, False, False, False, True]
    assert exact_matches(["Nineteen eightyfour"], right[1:2]).tolist() == [True]


@pytest.mark.parametrize(
    ("given", "right", "complaint"),
    [
        (["a"], [], "1 answers and 0 lists"),
        ([], [], "0 answers"),
        (["a", "b"], [["a"], []], "1 of 2 questions have no right answer"),
    ],
)
def test_what_cannot_be_compared(given, right, complaint):
    with pytest.raises(InputError, match=complaint):
        exact_matches(given, right)
