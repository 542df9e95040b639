"""Small tables and files of benchmarks, and what is said where they do not fit."""

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError
from equipoise.stages.benchmark.check import named_problems
from equipoise.stages.benchmark.data import Wanted, read_rows

TEXTS = {"split": "split", "label": "label"}
PLAIN = {"split": ["train", "test", "test"], "label": [3, 1, 2], "embedding": [[1.0, 0.0], [0.5, 2.0], [0.0, 1.0]]}


def written(folder, **columns) -> str:
    path = str(folder / "vectors.parquet")
    pd.DataFrame({**PLAIN, **columns}).to_parquet(path)
    return path


def saved(folder, **arrays) -> str:
    path = str(folder / "vectors.npz")
    np.savez(path, **{**{name: np.array(column) for name, column in PLAIN.items()}, **arrays})
    return path


def refusal(spark, path: str, wanted: Wanted | None = None, *, most_bytes: float = 1e9) -> str:
    with pytest.raises(InputError) as caught, named_problems("birds", "raw"):
        read_rows(spark, path, wanted or Wanted("embedding", TEXTS), most_bytes=most_bytes)
    message = str(caught.value)
    assert message.startswith("benchmark birds, model")
    assert path in message
    assert "source." not in message
    return message
