from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.kernels.backends import Device, FaissKernel, NumpyKernel, TorchKernel

torch = pytest.importorskip("torch")
has_faiss = find_spec("faiss") is not None
n_faiss_gpus = import_module("faiss").get_num_gpus() if has_faiss else 0

from equipoise.kernels import torch_nearest, torch_tensors  # noqa: E402  (they need torch)
from equipoise.kernels.torch_nearest import Tiling  # noqa: E402

GPU = Device("cuda", 0)
ON_CPU = [NumpyKernel(), TorchKernel(), *([FaissKernel()] if has_faiss else [])]


def on_gpu(kernel, is_there, what):
    marks = [pytest.mark.gpu, pytest.mark.skipif(not is_there, reason=f"no GPU is there that {what} can use")]
    return pytest.param(kernel, marks=marks, id=f"{kernel.backend}-cuda")


ON_GPU = [
    on_gpu(TorchKernel(GPU), torch.cuda.is_available(), "torch"),
    on_gpu(FaissKernel(GPU), n_faiss_gpus > 0, "faiss (needs a faiss-gpu build)"),
]
kernels = pytest.mark.parametrize("kernel", [*(pytest.param(k, id=k.backend) for k in ON_CPU), *ON_GPU])
torch_devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=ON_GPU[0].marks)])


def brute_force(vectors, centroids):
    """Labels and squared distances (n, k) in float64: ``argmin`` takes the lowest index among equals."""
    differences = vectors[:, None, :].astype(np.float64) - centroids[None, :, :].astype(np.float64)
    distances_sq = (differences**2).sum(axis=2)
    return distances_sq.argmin(axis=1), distances_sq


def blobs(n, k, dim, *, offset=0.0, dtype=np.float32, seed=0):
    """Vectors around well separated centroids, so that rounding decides no label; every centroid has members."""
    generator = np.random.default_rng(seed)
    centroids = (10 * generator.normal(size=(k, dim)) + offset).astype(np.float32)
    owners = np.concatenate([np.arange(min(n, k)), generator.integers(k, size=max(n - k, 0))])
    return (centroids[owners] + generator.normal(size=(n, dim))).astype(dtype), centroids


CASES = {
    "random": blobs(1100, 37, 16),
    "more centroids than vectors": blobs(50, 300, 8),
    "far from the origin": blobs(300, 20, 8, offset=3000.0),
    "half precision": blobs(700, 30, 12, dtype=np.float16),
    "one vector": blobs(1, 9, 5),
    "one centroid": blobs(600, 1, 5),
    "one dimension": blobs(200, 11, 1),
}


@kernels
@pytest.mark.parametrize("case", CASES)
def test_labels_and_distances_are_those_of_brute_force(kernel, case):
    vectors, centroids = CASES[case]
    labels, distances_sq = kernel.nearest(vectors, kernel.prepare(centroids))
    expected, all_sq = brute_force(vectors, centroids)
    assert labels.dtype == np.int64 and distances_sq.dtype == np.float32
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(distances_sq, all_sq.min(axis=1), rtol=1e-6)


@kernels
def test_vectors_without_clear_neighbours_go_to_one_that_is_as_near(kernel):
    generator = np.random.default_rng(3)
    vectors, centroids = generator.normal(size=(2, 400, 64)).astype(np.float32)
    labels, _ = kernel.nearest(vectors, kernel.prepare(centroids))
    _, all_sq = brute_force(vectors, centroids)
    np.testing.assert_allclose(all_sq[np.arange(400), labels], all_sq.min(axis=1), rtol=1e-5)


@kernels
def test_of_equal_centroids_the_lowest_index_gets_all(kernel):
    vectors, distinct = blobs(5000, 700, 24)
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(700), 7))  # 4900: more than one tile of any kernel
    labels, _ = kernel.nearest(vectors, kernel.prepare(distinct[order]))
    lowest = np.array([np.flatnonzero(order == number)[0] for number in range(700)])
    np.testing.assert_array_equal(labels, lowest[brute_force(vectors, distinct)[0]])


@kernels
def test_of_equally_near_centroids_the_lowest_index_wins(kernel):
    centroids = np.array([[4, 0], [0, 4], [0, -4], [-4, 0]], dtype=np.float32)
    vectors = np.array([[0, 0], [-1, 1], [1, -1], [-1, -1]], dtype=np.float32)
    labels, distances_sq = kernel.nearest(vectors, kernel.prepare(centroids))
    np.testing.assert_array_equal(labels, [0, 1, 0, 2])
    np.testing.assert_array_equal(distances_sq, [16, 10, 10, 10])


@kernels
def test_vectors_that_lie_on_their_centroid_are_at_distance_zero(kernel):
    centroids = blobs(1, 40, 16, offset=500.0)[1]
    labels, distances_sq = kernel.nearest(centroids, kernel.prepare(centroids))
    np.testing.assert_array_equal(labels, np.arange(40))
    np.testing.assert_array_equal(distances_sq, np.zeros(40))


@kernels
def test_a_vector_that_is_not_finite_is_seen_by_its_distance(kernel):
    vectors = np.array([[0, 1], [np.nan, 0]], dtype=np.float32)
    labels, distances_sq = kernel.nearest(vectors, kernel.prepare(np.array([[0, 0], [5, 5]], dtype=np.float32)))
    assert labels[0] == 0 and 0 <= labels[1] < 2
    assert distances_sq[0] == 1 and np.isnan(distances_sq[1])


@kernels
@pytest.mark.parametrize("case", CASES)
def test_statistics_are_those_of_brute_force_and_of_numpy(kernel, case):
    vectors, centroids = CASES[case]
    stats = kernel.block_stats(vectors, kernel.prepare(centroids))
    labels, all_sq = brute_force(vectors, centroids)
    members = np.eye(len(centroids))[labels]
    touched = np.unique(labels)
    np.testing.assert_array_equal(stats.touched, touched)
    np.testing.assert_array_equal(stats.counts, members.sum(axis=0)[touched])
    np.testing.assert_allclose(stats.sums, (members.T @ vectors.astype(np.float64))[touched], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(stats.costs, (members.T @ all_sq.min(axis=1))[touched], rtol=1e-6)
    numpy_stats = NumpyKernel().block_stats(vectors, NumpyKernel().prepare(centroids))
    for name in ("touched", "sums", "counts", "costs"):
        ours, theirs = getattr(stats, name), getattr(numpy_stats, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@kernels
def test_several_blocks_give_the_statistics_of_all(kernel):
    vectors, centroids = CASES["random"]
    prepared = kernel.prepare(centroids)
    together = kernel.block_stats(vectors, prepared)
    apart = kernel.stats(iter(np.split(vectors, [300, 301, 900])), prepared)
    np.testing.assert_array_equal(apart.touched, together.touched)
    np.testing.assert_array_equal(apart.counts, together.counts)
    np.testing.assert_allclose(apart.sums, together.sums, rtol=1e-12)
    np.testing.assert_allclose(apart.costs, together.costs, rtol=1e-12)


@kernels
def test_no_blocks_and_no_members_give_no_statistics(kernel):
    stats = kernel.stats([], kernel.prepare(np.eye(3, dtype=np.float32)))
    assert stats.touched.shape == (0,) and stats.sums.shape == (0, 3)


@kernels
def test_the_same_call_gives_the_same_bits(kernel):
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(9000, 48)).astype(np.float32)
    centroids = vectors[:30]

    def bits():
        prepared = kernel.prepare(centroids)
        stats = kernel.block_stats(vectors, prepared)
        arrays = (*kernel.nearest(vectors, prepared), stats.sums, stats.counts, stats.costs)
        return [array.tobytes() for array in arrays]

    assert bits() == bits() == bits()


@kernels
def test_vectors_kept_on_the_device_give_what_arrays_give(kernel):
    for case in ("random", "half precision"):
        vectors, centroids = CASES[case]
        prepared = kernel.prepare(centroids)
        kept = kernel.resident(vectors)
        assert kernel.nearest(kept, prepared)[1].tobytes() == kernel.nearest(vectors, prepared)[1].tobytes()
        assert kernel.block_stats(kept, prepared).sums.tobytes() == kernel.block_stats(vectors, prepared).sums.tobytes()


@torch_devices
@pytest.mark.parametrize("tiling", [Tiling(7, 3), Tiling(100, 100), Tiling(1100, 1), Tiling(1, 37)], ids=str)
def test_chunks_and_tiles_change_no_result_of_torch(device, tiling):
    vectors, centroids = CASES["random"]
    prepared = torch_nearest.prepare(centroids, device, tiling=tiling)
    expected, _ = brute_force(vectors, centroids)
    np.testing.assert_array_equal(torch_nearest.nearest(vectors, prepared)[0], expected)
    stats = torch_nearest.block_stats(vectors, prepared)
    np.testing.assert_array_equal(stats.counts, np.bincount(expected))
    whole = torch_nearest.block_stats(vectors, torch_nearest.prepare(centroids, device))
    np.testing.assert_allclose(stats.sums, whole.sums, rtol=1e-12)


@torch_devices
def test_tf32_finds_clear_neighbours_also_far_from_the_origin(device):
    vectors, centroids = CASES["far from the origin"]
    prepared = torch_nearest.prepare(centroids, device, allow_tf32=True)
    labels, distances_sq = torch_nearest.nearest(vectors, prepared)
    expected, all_sq = brute_force(vectors, centroids)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(distances_sq, all_sq.min(axis=1), rtol=1e-6)


@pytest.mark.parametrize("kernel", ON_GPU)
def test_a_gpu_agrees_with_numpy_over_several_chunks_and_tiles(kernel):
    vectors, centroids = blobs(40_000, 9001, 33)
    expected, expected_sq = NumpyKernel().nearest(vectors, NumpyKernel().prepare(centroids))
    prepared = kernel.prepare(centroids)
    labels, distances_sq = kernel.nearest(vectors, prepared)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(distances_sq, expected_sq, rtol=1e-6)
    stats = kernel.block_stats(vectors, prepared)
    np.testing.assert_array_equal(stats.counts, np.bincount(expected))
    assert kernel.block_stats(vectors, prepared).sums.tobytes() == stats.sums.tobytes()


@torch_devices
def test_ties_go_to_the_lowest_index_also_across_tiles_of_torch(device):
    centroids = np.array([[5, 5], [1, 0], [1, 0], [-0.0, 3], [1, 0], [0.0, 3]], dtype=np.float32)
    vectors = np.array([[1, 0], [2, 0], [0, 3]], dtype=np.float32)
    for tile in (1, 2, 4, 6):
        prepared = torch_nearest.prepare(centroids, device, tiling=Tiling(2, tile))
        np.testing.assert_array_equal(torch_nearest.nearest(vectors, prepared)[0], [1, 1, 3])


@torch_devices
def test_rounding_that_favours_a_later_equal_centroid_decides_nothing_in_torch(device, monkeypatch):
    product = torch.addmm

    def tilted(*arguments, out):
        product(*arguments, out=out)
        out += 1e-3 * torch.arange(out.shape[1], device=out.device)

    monkeypatch.setattr(torch, "addmm", tilted)
    prepared = torch_nearest.prepare(np.array([[5], [-0.0], [9], [0], [0]], dtype=np.float32), device)
    np.testing.assert_array_equal(torch_nearest.nearest(np.array([[0.5], [8]], dtype=np.float32), prepared)[0], [1, 2])


def test_whichever_equal_centroid_faiss_finds_the_lowest_is_returned():
    prepared = FaissKernel().prepare(np.array([[5], [1], [-0.0], [1], [0]], dtype=np.float32))
    last = SimpleNamespace(search=lambda vectors, k: (None, np.array([[3], [4], [0]])))
    labels, distances_sq = FaissKernel().nearest(
        np.array([[2], [0], [7]], dtype=np.float32), replace(prepared, index=last)
    )
    np.testing.assert_array_equal(labels, [1, 2, 0])
    np.testing.assert_array_equal(distances_sq, [1, 0, 4])


def test_rows_of_equal_hash_are_one_only_where_they_are_equal(monkeypatch):
    rows = torch.tensor([[1.0, 2], [3, 4], [1, 2], [3, 4.5]])
    monkeypatch.setattr(torch_tensors, "_hashes", lambda centroids: torch.zeros(len(centroids), dtype=torch.int64))
    np.testing.assert_array_equal(torch_tensors.first_of_equals(rows), [0, 1, 0, 3])


def test_torch_takes_read_only_and_strided_arrays():
    vectors, centroids = CASES["random"]
    frozen = np.asfortranarray(vectors)
    frozen.flags.writeable = False
    labels, _ = TorchKernel().nearest(frozen, TorchKernel().prepare(centroids))
    np.testing.assert_array_equal(labels, brute_force(vectors, centroids)[0])


@torch_devices
def test_the_precision_of_products_is_asked_for_and_given_back(device, monkeypatch):
    vectors, centroids = CASES["random"]
    seen = []
    product = torch.addmm

    def watched(*arguments, **options):
        seen.append(torch.get_float32_matmul_precision())
        return product(*arguments, **options)

    monkeypatch.setattr(torch, "addmm", watched)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        for allow_tf32 in (False, True):
            torch_nearest.nearest(vectors[:9], torch_nearest.prepare(centroids, device, allow_tf32=allow_tf32))
            assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest", "high"]


def test_a_full_device_is_reported_with_the_way_out(monkeypatch):
    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

    prepared = torch_nearest.prepare(np.eye(4, dtype=np.float32))
    monkeypatch.setattr(torch, "zeros", full)
    with pytest.raises(InputError, match=r"4 centroids of 4 numbers.*Tried to allocate 9 GiB.*smaller k"):
        torch_nearest.stats([np.eye(4, dtype=np.float32)], prepared)
