"""One name for a measure wherever it is shown."""

import ast

from equipoise.evaluation import names
from equipoise.evaluation.balance import measures
from equipoise.stages.evaluate import told
from modules import MODULES, PACKAGE, syntax_of


def named() -> set[str]:
    return {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}


def test_every_measure_has_a_meaning_and_is_called_by_its_name_in_words() -> None:
    assert set(names.MEANINGS) == named()
    assert names.in_words("normalised_entropy") == "normalised entropy"
    assert set(names.BALANCE) | {names.N_GROUPS} == set(measures([3, 1]))


def test_what_the_terminal_shows_are_measures_of_the_table() -> None:
    assert {*told.BALANCES, *names.FIT} <= named()


def test_names_of_measures_are_spelled_in_one_place() -> None:
    """So that no table calls one by another name."""
    distinct = {name for name in named() if "_" in name} - {names.NORMALISED_ENTROPY}  # a function has that name, too
    for path in MODULES:
        if path != PACKAGE / "evaluation" / "names.py" and "schemas" not in path.parts:
            texts = {node.value for node in syntax_of(path) if isinstance(node, ast.Constant)}
            assert not {text for text in texts if isinstance(text, str)} & distinct, path
