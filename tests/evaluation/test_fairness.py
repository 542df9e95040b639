"""Accuracy by group and the gap, by hand."""

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.evaluation.fairness import accuracy_by_group, gap


def test_accuracy_by_group():
    correct = np.array([True, False, True, True, False, True])
    groups = np.array(["AFRICA", "AFRICA", "EUROPE", "EUROPE", None, ""], dtype=object)
    assert accuracy_by_group(correct, groups) == {"AFRICA": 0.5, "EUROPE": 1.0}
    assert accuracy_by_group([0.25, 0.75], [1, 1]) == {"1": 0.5}
    assert accuracy_by_group([], []) == {}


def test_gap():
    assert gap({"low": 0.6, "middle": 0.7, "high": 0.8}) == pytest.approx(0.25)
    assert gap({"one": 0.3}) == gap({"none": 0.0, "nothing": 0.0}) == 0
    assert gap({"none": 0.0, "some": 0.1}) == 1


def test_bad_input():
    with pytest.raises(InputError, match="one group an item"):
        accuracy_by_group([1, 0], ["a"])
    with pytest.raises(InputError, match="no groups"):
        gap({})
