"""Windows of arrays through the stages: the pool, the rejects, vectors and clusters."""

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.pipeline.content import read_bytes
from equipoise.report.thumbnails import preview
from equipoise.schemas import ASSIGNMENTS, EMBEDDINGS, POOL, REJECTS, Col
from stages.fakes import Lab


def bands():
    """16 x 24: above stripes of columns, below of rows; the last window is NaN."""
    rows, columns = np.indices((16, 24))
    array = np.where(rows < 8, columns % 2, rows % 2).astype(np.float32) * 10 - 5
    array[8:, 16:] = np.nan
    return array


@pytest.fixture
def lab(spark, tmp_path):
    zarr = pytest.importorskip("zarr")
    folder = tmp_path / "in" / "a=1"
    folder.mkdir(parents=True)
    np.save(folder / "bands.npy", bands())
    np.savez(
        folder / "several.npz", **{"one more": bands()[:8], "text": np.array(["a"]), "cubes": np.zeros((2, 2, 2, 2))}
    )
    np.savez_compressed(folder / "packed.npz", x=bands()[:8, :8])
    zarr.save_array(str(folder / "stored.zarr"), bands()[:8, :16])
    (folder / "cut.npy").write_bytes((folder / "bands.npy").read_bytes()[:-1])
    (folder / "notes.txt").write_text("no array")
    return Lab(spark, tmp_path)


def source(lab, **values):
    base = {"kind": "arrays", "path": str(lab.folder / "in"), "window": [8, 8], "scaling": {"limits": [-5, 5]}}
    return {**base, "damaged": "skip", "label": "parent_folder", **values}


def reasons(run):
    return sorted((row[Col.reason], row[Col.key].rpartition("/")[2]) for row in run.workspace.read(REJECTS).collect())


def test_every_window_is_an_item_by_reference_and_is_embedded_and_clustered(lab, tmp_path):
    embed = {"encoder": "pixels", "size": 8, "mode": "L"}
    run = lab.run(source=source(lab), embed=embed, cluster={"metric": "cosine", "levels": [{"k": 2}]})
    accounts = run.bring("cluster")
    told = accounts["ingest"]
    assert (told.n_in, told.n_out, told.n_rejected) == (15, 11, 4)
    assert reasons(run) == [
        ("damaged_file", "cut.npy"),
        ("not_finite", "bands.npy"),
        ("unusable_array", "several.npz#cubes"),
        ("unusable_array", "several.npz#text"),
    ]
    (passed,) = [message for message in run.progress.messages if "not looked at" in message]
    assert passed.endswith(": .txt (1)")  # of the chunks of zarr nothing

    items = {row[Col.key].replace(str(tmp_path), ""): row for row in run.workspace.read(POOL).collect()}
    key = "window:8+8,0+8:file:/in/a=1/bands.npy"
    one = items[key]
    assert (one[Col.width], one[Col.height], one[Col.n_bytes], one[Col.label]) == (8, 8, 128 + 4 * 64, "a=1")
    assert one[Col.uri].replace(str(tmp_path), "") == "window:8+8,0+8;scale=-5.0..5.0:file:/in/a=1/bands.npy"
    assert one[Col.content] is None and one[Col.modified_at] is not None
    inline = {name for name, row in items.items() if row[Col.content] is not None}
    assert inline == {"window:0+8,0+8;array=x:file:/in/a=1/packed.npz"}
    assert all(row[Col.modified_at] for row in items.values())

    vectors = {row[Col.item_id]: row[Col.embedding] for row in run.workspace.read(EMBEDDINGS).collect()}
    lying = np.tile((np.arange(8) % 2)[:, None], (1, 8)).ravel() / np.sqrt(32)
    np.testing.assert_allclose(vectors[one[Col.item_id]], lying, atol=1e-7)
    upright = items["window:0+8,0+8;array=one%20more:file:/in/a=1/several.npz"]
    np.testing.assert_allclose(vectors[upright[Col.item_id]], lying.reshape(8, 8).T.ravel(), atol=1e-7)

    clusters = {row[Col.item_id]: row[Col.cluster_id] for row in run.workspace.read(ASSIGNMENTS).collect()}
    of_lying = {clusters[items[f"window:8+8,{start}+8:file:/in/a=1/bands.npy"][Col.item_id]] for start in (0, 8)}
    assert (
        len(of_lying) == 1 and sorted(cluster in of_lying for cluster in clusters.values()) == [False] * 9 + [True] * 2
    )

    thumbnail, _ = preview(read_bytes(one[Col.uri]), most_bytes=10_000)
    assert thumbnail is not None


def test_another_scaling_changes_items_and_no_keys(lab):
    lab.run("r", source=source(lab)).bring("ingest")
    again = lab.run("s", source=source(lab))
    assert dict(again.bring("ingest")["ingest"].drops) == {"already_in_pool": 11}

    other = lab.run("t", source=source(lab, scaling={"limits": [0, 5]}))
    account = other.bring("ingest")["ingest"]
    assert account.drops["in_pool_but_changed_since"] == 11 and account.n_out == 0
    assert any("11 items changed since the pool took them" in message for message in other.progress.messages)
    anew = lab.run("u", source=source(lab, scaling={"limits": [0, 5]}, changed="replace"))
    assert anew.bring("ingest")["ingest"].n_out == 11
    uris = [row[Col.uri] for row in anew.workspace.read(POOL).collect()]
    assert len(uris) == 11 and all(";scale=0.0..5.0:" in uri for uri in uris)


def test_a_damaged_file_is_refused_by_name_unless_it_is_to_be_skipped(lab):
    with pytest.raises(
        InputError, match=r"1 of its files cannot be read: file:/.*cut.npy \(it is cut off: 1663 bytes, 1664"
    ):
        lab.run(source=source(lab, damaged="refuse")).bring("ingest")


def test_inline_windows_are_kept_and_holes_filled(lab):
    run = lab.run(source=source(lab, inline=True, fill=0.5))
    run.bring("ingest")
    rows = run.workspace.read(POOL).collect()
    assert len(rows) == 12 and all(len(row[Col.content]) == row[Col.n_bytes] == 384 for row in rows)
    assert ("not_finite", "bands.npy") not in reasons(run)


def test_one_zarr_of_any_name_is_a_source(lab, tmp_path):
    place = tmp_path / "survey"
    (tmp_path / "in" / "a=1" / "stored.zarr").rename(place)
    account = lab.run(source=source(lab, path=str(place))).bring("ingest")["ingest"]
    assert (account.n_in, account.n_out) == (2, 2)


def test_a_library_that_workers_lack_is_told_as_on_the_driver(lab, monkeypatch):
    monkeypatch.setattr("equipoise.stages.ingest.work.verdict_counts", _fails)
    with pytest.raises(ConfigError, match=r"^a.zarr needs the library zarr: pip install 'equipoise\[zarr\]'$"):
        lab.run(source=source(lab)).bring("ingest")


def _fails(items):
    def raised(batches):
        raise ConfigError("a.zarr needs the library zarr: pip install 'equipoise[zarr]'")

    return items.mapInArrow(raised, items.schema)


def test_nothing_there_says_what_is_looked_for(lab, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no file with one of the extensions npy, npz, zarr"):
        lab.run(source=source(lab, path=str(tmp_path / "none"))).bring("ingest")
