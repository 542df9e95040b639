"""Which runs a comparison takes, and what is refused: no Spark."""

import pytest

from equipoise.errors import ConfigError
from equipoise.stages.configuration import config_from
from equipoise.studies.variants import comparison_id, default_variants, variant_runs, variants_of

LEVELS = [{"k": 90}, {"k": 30}, {"k": 9, "resampling": {"rounds": 10, "points": "half"}}]


def made(compare: dict | None = None, **sections):
    plain = {
        "name": "t",
        "workspace": "w",
        "source": {"kind": "images", "path": "data"},
        "embed": {"encoder": "pixels", "size": 8},
        "cluster": {"levels": LEVELS},
        "compare": compare or {"target": 100},
    }
    return config_from({**plain, **sections})


def test_the_methods_that_a_user_need_not_write() -> None:
    variants = {variant.name: variant for variant in default_variants(made())}
    ks = {name: [level["k"] for level in v.cluster["levels"]] for name, v in variants.items() if "levels" in v.cluster}
    assert ks == {
        "flat-kmeans": [9], "levels-2": [90, 9], "levels-4": [90, 30, 16, 9], "half-k": [45, 15, 9],
        "resampling-0": [90, 30, 9], "resampling-1": [90, 30, 9],
    }  # fmt: skip
    assert variants["levels-3"].cluster == {}
    ten = {"rounds": 10, "points": "half"}
    assert [level["resampling"] for level in variants["levels-4"].cluster["levels"]] == [None, None, ten, ten]
    assert variants["resampling-1"].cluster["levels"][2]["resampling"] == {"rounds": 1, "points": "half"}
    assert variants["resampling-1"].cluster["levels"][1]["resampling"] is None
    assert "resampling-10" not in variants  # what the config itself does
    assert variants["seeding-random"].cluster == {"seeding": "random"}
    assert "seeding-kmeanspp" not in variants
    assert variants["sampling-flat"].select == {"method": "flat"}


@pytest.mark.parametrize(
    ("levels", "depth", "ks"),
    [
        ([{"k": 90}, {"k": 40}, {"k": 9}], 4, [90, 40, 18, 9]),  # 40 / 9 is wider than 90 / 40
        ([{"k": 100}, {"k": 4}], 3, [100, 20, 4]),
        ([{"k": 100}, {"k": 4}], 4, [100, 44, 20, 4]),  # as far apart: the lower pair
        ([{"k": 3}, {"k": 2}], 3, None),  # no whole number lies between
        ([{"k": 9000, "splits": 9}, {"k": 90}, {"k": 10}], 4, [9000, 90, 30, 10]),  # not above a split level
        ([{"k": 9000, "splits": 9}, {"k": 90}], 3, None),
        ([{"k": 90}], 2, None),
        ([{"k": 90}, {"k": 40}, {"k": 20}, {"k": 9}, {"k": 3}], 3, [90, 40, 3]),
    ],
)
def test_levels_that_the_config_lacks_lie_between_the_neighbours_furthest_apart(levels, depth, ks) -> None:
    variants = {v.name: v for v in default_variants(made(cluster={"levels": levels}))}
    found = variants.get(f"levels-{depth}")
    assert (found and [level["k"] for level in found.cluster["levels"]]) == ks


def test_half_the_clusters_where_k_still_falls_and_the_splits_still_divide() -> None:
    def halves(*levels: dict) -> list[int] | None:
        variants = {v.name: v for v in default_variants(made(cluster={"levels": list(levels)}))}
        return [level["k"] for level in variants["half-k"].cluster["levels"]] if "half-k" in variants else None

    assert halves({"k": 90}, {"k": 31}, {"k": 9}) == [45, 15, 9]
    assert halves({"k": 90}, {"k": 16}, {"k": 9}) is None
    assert halves({"k": 70, "splits": 10}, {"k": 9}) == [30, 9]
    assert halves({"k": 70, "splits": 70}, {"k": 9}) is None
    assert halves({"k": 90}) is None


@pytest.mark.parametrize(
    ("seeding", "names"),
    [
        ("kmeans++", ["seeding-random"]),
        ("random", ["seeding-kmeanspp"]),
        ("kmeans||", ["seeding-random", "seeding-kmeanspp"]),
    ],
)
def test_random_and_plusplus_seeding_are_both_there(seeding: str, names: list[str]) -> None:
    variants = default_variants(made(cluster={"levels": LEVELS, "seeding": seeding}))
    assert [v.name for v in variants if v.name.startswith("seeding-")] == names
    assert all(v.cluster["seeding"] != seeding for v in variants if v.name in names)


def test_levels_that_nobody_resamples_are_resampled_above_the_first() -> None:
    variants = {v.name: v for v in default_variants(made(cluster={"levels": [{"k": 90}, {"k": 9}]}))}
    assert "resampling-0" not in variants
    rounds = [level["resampling"] for level in variants["resampling-10"].cluster["levels"]]
    assert rounds == [None, {"rounds": 10, "points": "half"}]


def test_a_single_level_is_varied_by_what_is_left() -> None:
    names = {variant.name for variant in default_variants(made(cluster={"levels": [{"k": 90}], "seeding": "random"}))}
    assert names == {"levels-1", "seeding-kmeanspp", "within-closest", "within-farthest"}


def test_methods_that_differ_in_the_selection_alone_share_a_run() -> None:
    runs = variant_runs(made())
    assert [run.methods for run in runs] == [
        ["levels-3", "sampling-flat", "within-closest", "within-farthest"],
        ["flat-kmeans"], ["levels-2"], ["levels-4"], ["half-k"], ["resampling-0"], ["resampling-1"], ["seeding-random"],
    ]  # fmt: skip
    assert len({run.run_id for run in runs}) == len(runs)
    assert [selection.target for run in runs for selection in run.config.select] == [100] * 11
    assert all(run.config.evaluate is None and run.config.compare is None for run in runs)
    assert sorted(method for run in runs for method in run.methods) == sorted(v.name for v in variants_of(made()))


def test_a_run_id_stands_for_the_clustering_alone() -> None:
    plain = variant_runs(made())[0].run_id
    assert variant_runs(made({"target": 7}))[0].run_id == plain
    assert variant_runs(made(spark={"spark.master": "local[1]"}))[0].run_id == plain
    assert variant_runs(made(seed=1))[0].run_id != plain
    assert variant_runs(made(embed={"encoder": "pixels", "size": 4}))[0].run_id != plain
    assert comparison_id(made({"target": 7})) != comparison_id(made()) == comparison_id(made())


def test_the_name_of_a_selection_tells_its_rules() -> None:
    def names(target: int = 100, **select) -> dict[str, str]:
        variants = [{"name": "own"}, {"name": "v", "select": select}]
        (run,) = variant_runs(made({"target": target, "variants": variants}))
        assert [selection.name for selection in run.config.select] == list(run.selections.values())
        assert [selection.within for selection in run.config.select] == ["random", select.get("within", "random")]
        return dict(run.selections)

    plain = names()
    assert list(plain) == ["own", "v"]
    assert all(name.startswith(f"{method}-") for method, name in plain.items())
    assert names(within="random") == plain  # what is the default anyway
    assert names(within="closest")["own"] == plain["own"]
    changed = [plain["v"], names(within="closest")["v"], names(max_copies=2)["v"], names(200)["v"]]
    assert len(set(changed)) == len(changed)


def test_another_encoder_takes_none_of_the_options_of_the_first() -> None:
    variants = [
        {"name": "small", "embed": {"size": 4}},
        {"name": "texts", "embed": {"encoder": "sentence-transformers:x", "normalise": True}},
    ]
    table = {"kind": "table", "path": "t", "content": "c"}  # which only the encoder can tell to be images or texts
    own, small, texts = variant_runs(made({"target": 5, "variants": variants}, source=table))
    assert own.methods == []  # no method is the config itself, yet all are measured in its clusters
    assert small.config.embed.options == {"size": 4} and small.config.embed.encoder == "pixels"
    assert texts.config.embed.options == {"normalise": True}


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"cluster": {"metrik": "cosine"}}, r"compare.variants, v: .*unknown key 'metrik'; did you mean 'metric'"),
        ({"cluster": {"levels": [{"k": 5}, {"k": 9}]}}, r"compare.variants, v: .*k must fall"),
        ({"select": {"within": "near"}}, r"compare.variants, v: select.0.within"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_by_name(variant: dict, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        variant_runs(made({"target": 5, "variants": [{"name": "v", **variant}]}))


def test_vectors_have_no_encoder_to_change() -> None:
    source = {"kind": "embeddings", "path": "v.npy"}
    config = made({"target": 5, "variants": [{"name": "v", "embed": {"size": 4}}]}, source=source, embed=None)
    with pytest.raises(ConfigError, match=r"compare.variants, v: the config has no encoder to change"):
        variant_runs(config)


def test_a_config_without_the_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="no section 'compare'"):
        variant_runs(made().model_copy(update={"compare": None}))
