"""The Python functions judge their arguments as the config's sections do: by name, before any work."""

from threading import Thread

import numpy as np
import pytest
from pyspark.sql import functions as F

import equipoise
from equipoise import Level, fit_hierarchy, get_session, load_config, read_table, register_views, select
from equipoise.errors import ConfigError, EquipoiseError, InputError, TableError
from equipoise.kernels.placement import DriverLimit
from equipoise.pipeline.blocks import vectors_frame
from equipoise.schemas import Col

DATA = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, np.arange(len(DATA)), DATA)


@pytest.fixture(scope="module")
def tree():
    return fit_hierarchy(DATA, [8, 2], iterations=3)


@pytest.mark.parametrize(
    "levels, options, said",
    [
        ([8], {"metric": "cosin"}, "fit_hierarchy: metric: must be 'euclidean' or 'cosine' (got 'cosin')"),
        ([8], {"seeding": "kmeans"}, "fit_hierarchy: seeding: must be "),
        ([8], {"backend": "cuda"}, "fit_hierarchy: backend: must be "),
        ([8], {"iterations": 0}, "fit_hierarchy: iterations: must be greater than 0 (got 0)"),
        ([8], {"iterations": True}, "fit_hierarchy: iterations: must be a valid integer (got True)"),
        ([8], {"tolerance": float("nan")}, "fit_hierarchy: tolerance: must be a finite number"),
        ([8], {"seed": 2**70}, "fit_hierarchy: seed: must be "),
        ([8], {"driver_limit": 1e9}, "fit_hierarchy: driver_limit must be a DriverLimit"),
        ([8], {"driver_limit": DriverLimit(bytes=-1)}, "fit_hierarchy: driver_limit.bytes: must be greater than or"),
        ([8], {"on_step": 3}, "fit_hierarchy: on_step must be a function"),
        ([], {}, "fit_hierarchy: levels: must not be empty"),
        (8, {}, "fit_hierarchy: levels: must be a list"),
        ("8", {}, "fit_hierarchy: levels: "),
        ([0], {}, "fit_hierarchy: levels.0.k: must be greater than 0 (got 0)"),
        ([8, None], {}, "fit_hierarchy: levels.1.k: must be a valid integer"),
        ([8, 8], {}, "level 2 has k = 8, not below the 8 of level 1"),
        ([Level(8, rounds=-1)], {}, "fit_hierarchy: levels.0.resampling.rounds: must be greater than 0"),
        ([Level(8, rounds=2, points="haf")], {}, "fit_hierarchy: levels.0.resampling.points: must be 'half'"),
    ],
)
def test_what_fit_hierarchy_cannot_do_is_refused_by_name(levels, options, said):
    with pytest.raises(ConfigError) as caught:
        fit_hierarchy(DATA, levels, **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "vectors, said",
    [
        ([[1.0, float("inf")], [0.0, 1.0]], "the vector of item 0 is not finite"),
        (np.array([[0.0, 1.0], [1e300, 0.0]]), "the vector of item 1 is not finite"),
        (
            [[0.0, 1.0], [0.0, -1e25]],
            "the vector of item 1 holds 1e+25, too large to square in float32 (at most 3.26e+18)",
        ),
        ([["a", "b"]], "vectors are of the type <U1; k-means needs numbers"),
        ([[1.0], [1.0, 2.0]], "vectors are no array (n, d)"),
        ([[None, 1.0]], "vectors are of the type object"),
        (None, "vectors are of the type object"),
        ([], "vectors have the shape (0,)"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_arrays_that_are_no_vectors_are_refused(vectors, said):
    with pytest.raises(InputError) as caught:
        fit_hierarchy(vectors, [1])
    assert said in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    levels, numpy = np.array([8, 2]), np.random.default_rng(0)
    found = fit_hierarchy(DATA, levels, seed=numpy.integers(5), iterations=np.int32(2), tolerance=np.float32(0.5))
    assert repr(found) == "Hierarchy(clusters by level, the finest first: 8, 2)"


def with_seventh(rows, column, value):
    """The same rows, with another value of a column in item 7."""
    return rows.withColumn(column, F.when(F.col(Col.item_id) == 7, F.expr(value)).otherwise(F.col(column)))


@pytest.mark.parametrize("limit", [None, DriverLimit(0, 0)], ids=["driver", "spark"])
@pytest.mark.parametrize(
    "change, said",
    [
        (lambda rows: with_seventh(rows, Col.embedding, "null"), "embedding is null in 1 of 40 rows: leave them out"),
        (lambda rows: with_seventh(rows, Col.item_id, "null"), "item_id is null in 1 of 40 rows: leave them out"),
        (lambda rows: with_seventh(rows, Col.embedding, "array(0f, float('nan'), 1f)"), "item 7 is not finite"),
        (lambda rows: with_seventh(rows, Col.embedding, "array(0f, null, 1f)"), "the vector of item 7 is not finite"),
        (
            lambda rows: with_seventh(rows, Col.embedding, "array(0f, 1e25f, 1f)"),
            "the vector of item 7 holds 1e+25, too",
        ),
        (lambda rows: with_seventh(rows, Col.embedding, "array(0f, 1f)"), "vectors of 2 and of 3 numbers"),
        (lambda rows: rows.unionByName(rows.where(F.col(Col.item_id) == 7)), "item 7 is there more than once"),
    ],
)
def test_rows_that_are_no_vectors_are_refused_not_dropped(embeddings, change, said, limit):
    with pytest.raises(InputError) as caught:
        fit_hierarchy(change(embeddings), [4], iterations=1, driver_limit=limit)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, said",
    [
        (
            lambda rows: rows.withColumn(Col.item_id, F.col(Col.item_id).cast("string")),
            "item_id is string, and ids",
        ),
        (lambda rows: rows.drop(Col.embedding), "vectors have no column embedding (ARRAY<FLOAT>); there are: item_id"),
        (lambda rows: rows.withColumn(Col.embedding, F.lit("v")), "embedding is string; it must be ARRAY<FLOAT>"),
        (lambda rows: rows.select("*", F.lit(1).alias(Col.item_id)), "2 columns named item_id"),
    ],
)
def test_columns_that_are_none_are_refused_by_name(embeddings, change, said):
    with pytest.raises(InputError) as caught:
        fit_hierarchy(change(embeddings), [4])
    assert said in str(caught.value)


def test_whole_ids_and_numbers_of_other_widths_are_taken(embeddings):
    narrow = embeddings.select(
        F.col(Col.item_id).cast("int").alias(Col.item_id),
        F.col(Col.embedding).cast("array<double>").alias(Col.embedding),
    )
    found = fit_hierarchy(narrow, [8, 2], iterations=3).assignments.toPandas().sort_values(Col.item_id)
    assert found[Col.cluster_id].tolist() == fit_hierarchy(DATA, [8, 2], iterations=3).assignments.labels.tolist()


@pytest.mark.parametrize(
    "options, said",
    [
        ({"target": 2**70}, "select: target: must be a number that fits into 64 bits"),
        ({"target": 0}, "select: target: must be greater than or equal to 1 (got 0)"),
        ({"target": True}, "select: target: must be a valid integer (got True)"),
        ({"per_cluster": -1}, "select: per_cluster: must be "),
        ({}, "needs one of target and per_cluster"),
        ({"target": 3, "per_cluster": 3}, "has both target and per_cluster: keep one"),
        ({"target": 3, "within": "middle"}, "select: within: must be 'random', 'closest' or 'farthest'"),
        ({"target": 3, "method": "deep"}, "select: method: must be 'hierarchical' or 'flat'"),
        ({"target": 3, "max_copies": 0}, "select: max_copies: must be "),
        ({"target": 3, "seed": 0.5}, "select: seed: must be a valid integer"),
        ({"target": 3, "where": ""}, "select: where: must not be empty"),
        ({"target": 3, "where": "size > 3"}, "where is 'size > 3', which Spark refuses"),
    ],
)
def test_what_select_cannot_do_is_refused_by_name(spark, tree, options, said):
    with pytest.raises(ConfigError) as caught:
        select(tree, **options)
    assert said in str(caught.value)
    with pytest.raises(ConfigError, match="hierarchy must be what fit_hierarchy returned"):
        select([8, 2], target=3)


def test_select_in_another_thread_finds_the_session(spark, tree):
    found = []
    thread = Thread(target=lambda: found.append(select(tree, target=np.int64(10)).count()))
    thread.start()
    thread.join()
    assert found == [10]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda spark, place: read_table(spark, "", "pool"), "workspace '' names nothing"),
        (lambda spark, place: read_table(spark, "a:b", "pool"), "workspace 'a:b' reads as a place of another"),
        (lambda spark, place: read_table(spark, "x\x00", "pool"), "holds characters that cannot be printed"),
        (lambda spark, place: register_views(spark, "/"), "workspace '/' is the root"),
        (lambda spark, place: read_table(spark, 3, "pool"), "workspace 3 is no text"),
        (lambda spark, place: read_table(spark, place, ["pool"]), "there is no table ['pool']"),
        (lambda spark, place: read_table(spark, place, "pool"), "has no table 'pool' yet"),
        (lambda spark, place: read_table(spark, place, "pool", version=True), "version is True; it must be a whole"),
        (lambda spark, place: read_table(spark, place, "pool", version=-1), "version is -1; it must be a whole number"),
        (
            lambda spark, place: read_table(spark, "no.such", "pool"),
            "a schema of a catalog, and Spark does not know",
        ),
    ],
)
def test_tables_that_cannot_be_are_refused_by_name(spark, tmp_path, call, said):
    for place in (str(tmp_path / "ws"), tmp_path / "ws"):
        with pytest.raises((ConfigError, TableError)) as caught:
            call(spark, place)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"spark.sql.shuffle.partitions": "many"}, "'spark.sql.shuffle.partitions' must be a whole number above 0"),
        ({"spark.ui.enabled": None}, "'spark.ui.enabled' must be a text, a number or a boolean (got None)"),
        (["spark.master"], "must be a mapping of Spark's keys to values"),
        ({3: "x"}, "3 must be the name of a key"),
        (
            {"spark.sql.sources.partitionOverwriteMode": "perhaps"},
            "partitionOverwriteMode is 'perhaps', which Spark does not take",
        ),
    ],
)
def test_settings_that_spark_cannot_take_are_refused_by_name(spark, settings, said):
    with pytest.raises(EquipoiseError) as caught:
        get_session(settings)
    assert said in str(caught.value)


def test_one_text_is_no_list_of_overrides(tmp_path):
    with pytest.raises(ConfigError, match=r"overrides must be a list of dotted\.key=value, not the one text 'seed=1'"):
        load_config(tmp_path / "c.yaml", "seed=1")


def test_the_public_functions_are_those_that_judge():
    assert {fit_hierarchy.__module__, select.__module__} == {"equipoise.stages.functions"}
    assert set(equipoise.__all__) >= {"fit_hierarchy", "select", "read_table", "register_views", "get_session"}
