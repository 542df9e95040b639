"""The data of the demos, made from what is installed: digits, the docstrings of packages, pictures."""

import ast
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from equipoise.errors import InputError
from equipoise.studies.demo_pictures import write_pictures

SHORTEST_PARAGRAPH = 40
MOST_DOCSTRINGS = 20_000
"""A few minutes of embedding on two cores."""
BRIGHTEST = 16
"""The digits' scans have the grey levels 0 to 16."""


def write_demo_data(what: str, folder: Path) -> str:
    """Writes ``digits`` or ``images`` (PNGs in a folder a class) or ``docstrings`` (JSON lines); says what was written.

    Raises:
        InputError: the folder cannot be made.
        ConfigError: a package that brings pictures is missing.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    if folder.exists():
        raise InputError(f"--out {folder} exists: remove it, or name another folder")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        written = WRITERS[what](unfinished)
        unfinished.rename(folder)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made: {error.strerror}; name another folder") from error
    return f"{written} are in {folder}"


def _write_digits(folder: Path) -> str:
    """1,797 real 8x8 scans, thinned to a power law of exponent 1: class c keeps 1 / (c + 1) of its scans."""
    images, labels = load_digits(return_X_y=True)
    largest = int(np.bincount(labels).min())
    n_written = 0
    for label in range(10):
        kept = images[labels == label][: round(largest / (label + 1))]
        (folder / str(label)).mkdir(exist_ok=True)
        for number, pixels in enumerate(kept):
            scan = (pixels.reshape(8, 8) * 255 / BRIGHTEST).astype(np.uint8)
            Image.fromarray(scan).save(folder / str(label) / f"{number:03d}.png")
        n_written += len(kept)
    return f"{n_written} scans of handwritten digits, long-tailed by class,"


def _write_docstrings(folder: Path) -> str:
    path, found = folder / "docstrings.jsonl", list(docstrings())
    kept = random.Random(0).sample(found, min(MOST_DOCSTRINGS, len(found)))
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept), encoding="utf-8")
    return f"{len(kept):,} of the {len(found):,} docstrings of the installed packages"


def docstrings() -> Iterator[dict[str, str]]:
    """Different first paragraphs of docstrings of modules, classes and functions, with the package as label."""
    seen: set[str] = set()
    for package in sorted(distributions(), key=lambda one: one.name):
        for file in sorted(package.files or [], key=str):
            if file.suffix != ".py" or "tests" in file.parts:
                continue
            for name, text in _docstrings_of(Path(str(file.locate()))):
                paragraph = text.partition("\n\n")[0]
                if len(paragraph) >= SHORTEST_PARAGRAPH and paragraph not in seen:
                    seen.add(paragraph)
                    yield {"id": f"{file}:{name}", "text": paragraph, "label": package.name}


def _docstrings_of(path: Path) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return  # packages ship templates and broken examples
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield f"{getattr(node, 'name', '')}:{getattr(node, 'lineno', 0)}", text


WRITERS: Mapping[str, Callable[[Path], str]] = {
    "digits": _write_digits,
    "docstrings": _write_docstrings,
    "images": write_pictures,
}
