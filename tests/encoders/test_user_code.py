"""``python:MODULE:NAME``: encoders of a user's own."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equipoise.config import Embed
from equipoise.encoders import check_encoder, encoder_id, encoder_kind, encoder_options, load_encoder
from equipoise.errors import ConfigError

LENGTHS = '''
from typing import Annotated
import numpy as np
from pydantic import Field
from equipoise.encoders import UnreadableItem

class Lengths:
    """Of texts."""
    kind = "texts"

    def __init__(self, *, times: Annotated[int, Field(gt=0)] = 1, gpu=None, n_threads=None):
        self.times, self.placed = times, (gpu, n_threads)

    def decode(self, content):
        if not content:
            raise UnreadableItem("empty_text", "0 bytes")
        return content.decode()

    def encode(self, items):
        return np.array([[len(item) * self.times, 1] for item in items], np.float64)

def grey(level=0.5):
    return Lengths()

grey.kind = "images"
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes code as a module that can be imported, and gives the name of an encoder in it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = []

    def write(code, name, what="Lengths"):
        (tmp_path / f"{name}.py").write_text(code)
        written.append(name)
        sys.modules.pop(name, None)
        return f"python:{name}:{what}"

    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_it_is_loaded_by_name_with_its_options(module):
    name = module(LENGTHS, "lengths_a")
    encoder = load_encoder(name, times=3)
    found = encoder.encode([encoder.decode(text) for text in (b"ab", b"abc")])
    assert found.dtype == np.float32 and found.tolist() == [[6, 1], [9, 1]]
    assert (encoder.kind, encoder_kind(name, {})) == ("texts", "texts")
    assert encoder_kind(name.replace("Lengths", "grey"), {"level": 1}) == "images"


def test_where_it_runs_is_told_and_is_no_option(module):
    name = module(LENGTHS, "lengths_b")
    assert load_encoder(name, gpu=2, n_threads=4)._made.placed == (2, 4)
    assert [*encoder_options(name)] == ["times"]


def test_an_option_that_a_config_could_not_give_is_refused(module):
    name = module(LENGTHS.replace("times", "batch_size"), "lengths_own")
    with pytest.raises(ValueError, match="has an option 'batch_size', a key of its section: rename it"):
        Embed(encoder=name, batch_size=2)


def test_its_options_are_checked_as_it_declares_them(module):
    name = module(LENGTHS, "lengths_c")
    assert Embed(encoder=name, times=2).options == {"times": 2}
    with pytest.raises(ValueError, match="greater than 0"):
        Embed(encoder=name, times=0)
    with pytest.raises(ConfigError, match="has no option 'time'; did you mean 'times'"):
        load_encoder(name, time=2)


def test_the_id_is_of_options_and_code(module):
    name = module(LENGTHS, "lengths_d")
    before = encoder_id(name, {})
    assert before.startswith("python-lengths_d-Lengths-")
    assert encoder_id(name, {"times": 1}) == before != encoder_id(name, {"times": 2})
    module(LENGTHS + "# changed", "lengths_d")
    assert encoder_id(name, {}) != before
    assert encoder_id(module(LENGTHS, "lengths_d"), {}) == before


def test_a_code_revision_says_which_code_it_is_whatever_else_changes(module):
    pinned = LENGTHS.replace('    kind = "texts"\n', '    kind = "texts"\n    code_revision = 1\n')
    name = module(pinned, "lengths_e")
    before = encoder_id(name, {})
    assert encoder_id(module(pinned + "# changed", "lengths_e"), {}) == before
    assert encoder_id(module(pinned.replace("revision = 1", "revision = 2"), "lengths_e"), {}) != before


def test_files_that_it_names_are_known_by_their_bytes(module, tmp_path):
    weighed = LENGTHS.replace('    kind = "texts"\n', '    kind = "texts"\n    files = ["weights"]\n')
    name = module(weighed.replace("gpu=None", "gpu=None, weights=None"), "lengths_i")
    for path, content in [("a", "1"), ("b", "1"), ("c", "2")]:
        (tmp_path / path).write_text(content)
    plain, *ids = (encoder_id(name, {"weights": path and str(tmp_path / path)}) for path in (None, "a", "b", "c"))
    assert ids[0] == ids[1] != ids[2] != plain != ids[0] and plain == encoder_id(name, {})
    with pytest.raises(ConfigError, match="none does not exist"):
        encoder_id(name, {"weights": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "argument, said",
    [
        ("lengths", "'lengths' is not of the form module:name"),
        ("a-b:c", "'a-b:c' is not of the form module:name"),
        ("no_such_module:C", "the module no_such_module cannot be imported (ModuleNotFoundError: No module named"),
        ("no_such_module:C", "on driver and executors: put its folder on PYTHONPATH, on a cluster also --py-files"),
        ("json:nothing", "json/__init__.py) has no nothing"),
        ("json:__all__", "has a list, no class or function, __all__"),
        ("json:JSONDecoder", "it has no attribute kind; write kind = 'images' or kind = 'texts', which it reads"),
    ],
)
def test_what_is_no_encoder_is_refused(argument, said):
    for ask in (load_encoder, lambda name: check_encoder(name, {}), lambda name: encoder_id(name, {})):
        with pytest.raises(ConfigError) as caught:
            ask(f"python:{argument}")
        assert said in str(caught.value) and f"encoder python:{argument}: " in str(caught.value)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("import numpy as np", "import nunpy", "cannot be imported (ModuleNotFoundError: No module named 'nunpy')"),
        ('"texts"', '"audio"', "it has the kind 'audio'"),
        ("times: Annotated[int, Field(gt=0)] = 1", "times", "the parameter times is no option: give each a name and a"),
        ("gpu=None", "**options", "the parameter **options is no option"),
        ("gpu=None", "gpu: np.generic = None", "no option: a config holds numbers, texts, lists and the like"),
        ("gpu=None", "gpu: 'Gpu' = None", "its options cannot be read: NameError: name 'Gpu' is not defined"),
    ],
)
def test_code_of_another_form_is_refused_before_any_work(module, old, new, said):
    assert old in LENGTHS
    code = LENGTHS.replace(old, new).replace(", n_threads=None", "" if "**" in new else ", n_threads=None")
    name = module(code, "lengths_f")
    with pytest.raises(ConfigError) as caught:
        check_encoder(name, {})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("np.float64", "np.int64", "of 2 items the model gives int64 of (2, 2); it must be floats of (2, d)"),
        ("for item in items", "for item in items[:1]", "of 2 items the model gives float64 of (1, 2)"),
        ("return np.array", "return str", "of 2 items the model gives a str"),
    ],
)
def test_what_it_gives_must_be_vectors(module, old, new, said):
    assert old in LENGTHS
    code = LENGTHS.replace(old, new)
    if new == "return str":
        code = code.replace("items], np.float64)", "items])")
    encoder = load_encoder(module(code, "lengths_g"))
    with pytest.raises(ConfigError) as caught:
        encoder.encode(["a", "b"])
    assert said in str(caught.value)


def test_what_it_raises_when_it_is_made_or_asked_is_told(module):
    failing = LENGTHS.replace("self.times, self.placed = times, (gpu, n_threads)", "raise ValueError('no weights')")
    with pytest.raises(ConfigError, match="encoder python:lengths_h:Lengths: ValueError: no weights"):
        load_encoder(module(failing, "lengths_h"))
    name = module(LENGTHS.replace("def encode", "def encoded"), "lengths_h")
    with pytest.raises(ConfigError, match="a Lengths has no method encode"):
        load_encoder(name)
    asked = LENGTHS.replace(
        "    def decode", "    @staticmethod\n    def check(times=1):\n        1 / 0\n\n    def decode"
    )
    with pytest.raises(ConfigError, match="ZeroDivisionError: division by zero"):
        check_encoder(module(asked, "lengths_h"), {"times": 2})


def test_the_readmes_example_is_one(module):
    readme = Path(__file__).parents[2] / "README.md"
    (code,) = re.findall(r"```python\n(import numpy as np\n[^`]*class Brightness:[^`]*)```", readme.read_text())
    name = module(code, "brightness", "Brightness")
    check_encoder(name, {"side": 2})
    encoder = load_encoder(name, side=2, gpu=0)
    Image.new("RGB", (9, 5), "white").save(file := io.BytesIO(), "PNG")
    assert encoder.encode([encoder.decode(file.getvalue())]).tolist() == [[255] * 4]
    assert encoder_kind(name, {}) == "images" and encoder_id(name, {}).startswith("python-brightness-Brightness-")
