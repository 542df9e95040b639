"""Rankings by hand, against scikit-learn, and the worked cases of Revisited Oxford and Paris."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from equipoise.errors import InputError
from equipoise.evaluation.retrieval import (
    Answer,
    Truth,
    average_precision,
    pair_lists,
    ranked,
    recall,
    retrieval_scores,
    revisited,
    revisited_scores,
    trapezoidal_average_precision,
    worst_failures,
)


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def lists(*items: list[int]) -> list[np.ndarray]:
    return [np.array(one, dtype=np.int64) for one in items]


def answer(*positions: int, query: int = 0, distance: float = 0.0) -> Answer:
    return Answer(query, np.array(positions), 0, 0, 0.0, distance)


def compute_ap(ranks: list[int], nres: int) -> float:
    """As the authors' evaluation has it: a loop over the ranks, from 0."""
    ap, recall_step = 0.0, 1.0 / nres
    for j, rank in enumerate(ranks):
        precision_0 = 1.0 if rank == 0 else j / rank
        precision_1 = (j + 1) / (rank + 1)
        ap += (precision_0 + precision_1) * recall_step / 2
    return ap


GALLERY = on_circle(0, 10, 20, 30, 40)


def test_positions_predictions_and_distances():
    (found,) = ranked(on_circle(1), GALLERY, Truth.without_junk(lists([3, 1])))
    assert found.positions.tolist() == [1, 3]
    assert (found.predicted, found.correct) == (0, 1)
    assert found.predicted_distance == pytest.approx(1 - np.cos(np.deg2rad(1)), abs=1e-7)
    assert found.correct_distance == pytest.approx(1 - np.cos(np.deg2rad(9)), abs=1e-7)


def test_junk_is_taken_out_of_the_ranking():
    truth = Truth(lists([1, 4]), lists([0, 3]))
    (found,) = ranked(on_circle(1), GALLERY, truth)
    assert found.positions.tolist() == [0, 2]  # 0 and 3 are gone: 1, 2, 4 remain
    assert found.predicted == found.correct == 1
    (behind,) = ranked(on_circle(1), GALLERY, Truth(lists([2]), lists([0, 4])))
    assert (behind.positions.tolist(), behind.predicted, behind.correct) == ([1], 1, 2)


def test_equal_cosines_come_in_the_order_of_their_indices():
    gallery = np.eye(3)[[0, 1, 1, 1, 2]]
    (found,) = ranked(np.eye(3)[[1]], gallery, Truth.without_junk(lists([2, 0, 4])))
    assert found.positions.tolist() == [1, 3, 4]
    assert found.predicted == 1


def test_queries_without_correct_items_are_left_out():
    found = ranked(on_circle(0, 10, 20), GALLERY, Truth.without_junk(lists([0], [], [0])))
    assert [one.query for one in found] == [0, 2]


@settings(max_examples=25)
@given(st.integers(0, 999))
def test_scores_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    queries, gallery = rng.normal(size=(6, 4)), rng.normal(size=(30, 4))
    is_correct = rng.random((6, 30)) < 0.2
    is_correct[:, 0] = True
    found = ranked(queries, gallery, Truth.without_junk([np.flatnonzero(row) for row in is_correct]))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery)]
    cosines = unit[0] @ unit[1].T
    expected = [average_precision_score(*row) for row in zip(is_correct, cosines, strict=True)]
    np.testing.assert_allclose(average_precision(found), expected)
    for k in (1, 5, 10):
        first = np.argsort(-cosines, axis=1)[:, :k]
        np.testing.assert_array_equal(recall(found, k), np.take_along_axis(is_correct, first, axis=1).any(axis=1))


def test_many_chunks_give_the_answers_of_one(monkeypatch):
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(20, 3)), rng.normal(size=(15, 3))
    truth = Truth.without_junk([rng.choice(15, 3, replace=False) for _ in range(20)])
    whole = ranked(queries, gallery, truth)
    monkeypatch.setattr("equipoise.evaluation.retrieval._SCORES_PER_CHUNK", 40)
    parts = ranked(queries, gallery, truth)
    assert [one.positions.tolist() for one in parts] == [one.positions.tolist() for one in whole]


def test_trapezoids_by_hand():
    # All first: 1. Alone at the second place: (0 / 1 + 1 / 2) / 2.
    # At the first and third of two: ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2.
    found = trapezoidal_average_precision([answer(0, 1, 2), answer(1), answer(0, 2)])
    np.testing.assert_allclose(found, [1, 0.25, (1 + 7 / 12) / 2])
    np.testing.assert_allclose(average_precision([answer(0, 1, 2), answer(1), answer(0, 2)]), [1, 0.5, (1 + 2 / 3) / 2])


@given(st.sets(st.integers(0, 60), min_size=1, max_size=12))
def test_trapezoids_are_the_authors_loop(positions):
    ranks = sorted(positions)
    np.testing.assert_allclose(trapezoidal_average_precision([answer(*ranks)]), [compute_ap(ranks, len(ranks))])


def test_setups_of_revisited_oxford_by_hand():
    # Ranking of a query at 1 degree: 0 (junk), 1 (easy), 2 (no list), 3 (hard), 4 (easy).
    setups = revisited(easy=lists([1, 4]), hard=lists([3]), junk=lists([0]))
    found = revisited_scores({name: ranked(on_circle(1), GALLERY, truth) for name, truth in setups.items()})
    assert {name: scores.tolist() for name, scores in found.items()} == {
        "mean_average_precision_easy": pytest.approx([compute_ap([0, 2], 2)]),  # 1, 2, 4
        "mean_average_precision_medium": pytest.approx([compute_ap([0, 2, 3], 3)]),  # 1, 2, 3, 4
        "mean_average_precision_hard": pytest.approx([0.25]),  # 2, 3
    }
    assert found["mean_average_precision_easy"].tolist() == pytest.approx([(1 + 7 / 12) / 2])


def test_pairs_are_lists_and_both_directions_mirror_each_other():
    street, archive = np.array(["a", "b", "c", "b"]), np.array(["b", "a", "d"])
    forward = Truth.without_junk(pair_lists(street, archive))
    assert [items.tolist() for items in forward.correct] == [[1], [0], [], [0]]
    back = forward.reversed(3)
    assert [items.tolist() for items in back.correct] == [[1, 3], [0], []]
    assert [items.tolist() for items in back.correct] == [items.tolist() for items in pair_lists(archive, street)]
    assert [len(items) for items in back.junk] == [0, 0, 0]


def test_items_without_a_pair_find_nothing_and_are_not_found():
    found = pair_lists(np.array(["a", None], dtype=object), np.array([None, "a", None, "a"], dtype=object))
    assert [items.tolist() for items in found] == [[1, 3], []]


def test_names_of_the_scores():
    scores = retrieval_scores([answer(0), answer(7)])
    assert {name: values.tolist() for name, values in scores.items()} == {
        "recall_1": [1, 0],
        "recall_5": [1, 0],
        "recall_10": [1, 1],
        "mean_average_precision": [1, 1 / 8],
    }


def test_failures_are_the_wrong_ones_the_farthest_first():
    answers = [
        answer(0, query=0, distance=9.0),
        answer(2, query=1, distance=0.3),
        answer(1, query=2, distance=0.8),
        answer(5, query=3, distance=0.3),
    ]
    assert [one.query for one in worst_failures(answers, 9)] == [2, 1, 3]
    assert [one.query for one in worst_failures(answers, 1)] == [2]


@pytest.mark.parametrize(
    ("truth", "complaint"),
    [
        (Truth.without_junk(lists([], [])), "0 of 2 lists name a correct item"),
        (Truth.without_junk(lists([1])), "1 of 1 lists name a correct item, for 2 queries"),
        (Truth(lists([1], [2]), lists([0], [2, 3])), "query 1 lists an item both as correct and as junk"),
    ],
)
def test_bad_lists(truth, complaint):
    with pytest.raises(InputError, match=complaint):
        ranked(on_circle(0, 1), GALLERY, truth)


def test_messages_call_queries_by_their_names():
    with pytest.raises(InputError, match="query 'q7' lists an item both"):
        ranked(
            on_circle(0, 1),
            GALLERY,
            Truth(lists([1], [2]), lists([0], [2])),
            names=np.array(["q3", "q7"], dtype=object),
        )
