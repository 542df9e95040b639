"""Which runs a comparison takes, and what is refused: no Spark."""

import pytest

from equipoise.config import Variant
from equipoise.errors import ConfigError
from equipoise.stages.configuration import config_from
from equipoise.studies.methods import default_variants
from equipoise.studies.variants import comparison_id, planned_runs, variant_runs, variants_of

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


def ks_of(variants: dict) -> dict[str, list[int]]:
    return {
        name: [level["k"] for level in v.cluster["levels"]] for name, v in variants.items() if "levels" in v.cluster
    }


def test_the_methods_that_a_user_need_not_write() -> None:
    variants = {variant.name: variant for variant in default_variants(made())}
    assert ks_of(variants) == {
        "1r": [9], "2r": [90, 9], "4r": [90, 30, 16, 9], "half-k": [45, 15, 9], "3r-k18": [180, 60, 18],
        "3r-0": [90, 30, 9], "3r-1": [90, 30, 9], "3r-100": [90, 30, 9], "vocabulary-tree": [81, 27, 9],
        "semdedup": [1],
    }  # fmt: skip
    rule = {"k": 90, "rounds": 50, "smallest_mean": 10, "target_keep": 100}
    assert variants["semdedup"].deduplicate == {"semdedup": rule}
    assert variants["3r"].cluster == {}
    ten = {"rounds": 10, "points": "half"}
    assert [level["resampling"] for level in variants["4r"].cluster["levels"]] == [None, None, ten, ten]
    assert variants["3r-100"].cluster["levels"][2]["resampling"] == {"rounds": 100, "points": "half"}
    assert variants["3r-1"].cluster["levels"][1]["resampling"] is None
    assert [level["resampling"] for level in variants["3r-k18"].cluster["levels"]] == [None, None, ten]
    assert "3r-10" not in variants  # what the config itself does
    assert variants["vocabulary-tree"].cluster["tree"] == "top_down"
    assert variants["3r-"].cluster == {"seeding": "random"}
    assert "3r-kmeanspp" not in variants
    assert [variants[f"flat-{n}"].select for n in (1, 2, 3)] == [{"method": "flat", "level": n} for n in (1, 2, 3)]
    assert variants["3c"].select == {"within": "closest"} and variants["3f"].select == {"within": "farthest"}
    assert not [name for name in variants if name.startswith("encoder-")]


def test_the_configuration_of_the_paper_has_the_names_of_the_paper() -> None:
    ten = {"rounds": 10}
    levels = [
        {"k": 10_000_000, "splits": 100},
        {"k": 500_000, "resampling": ten}, {"k": 50_000, "resampling": ten}, {"k": 10_000, "resampling": ten},
    ]  # fmt: skip
    variants = {variant.name: variant for variant in default_variants(made(cluster={"levels": levels}))}
    assert {"1r", "2r", "3r", "4r", "4r-", "4r-100", "4r-20k", "4c", "4f"} <= set(variants)
    rounds = [level["resampling"] for level in variants["4r-100"].cluster["levels"]]
    assert [one and one["rounds"] for one in rounds] == [None, 100, 100, 100]  # the top levels
    ks = ks_of(variants)
    assert ks["4r-20k"] == [20_000_000, 1_000_000, 100_000, 20_000]
    assert ks["vocabulary-tree"] == [10_000_000, 500_000, 50_000, 10_000]
    variant_runs(made(cluster={"levels": levels}))  # all fit


def test_a_vocabulary_tree_has_the_multiples_nearest_to_the_levels() -> None:
    def tree(*ks: int) -> list[int] | None:
        variants = {v.name: v for v in default_variants(made(cluster={"levels": [{"k": k} for k in ks]}))}
        return ks_of(variants).get("vocabulary-tree")

    assert tree(200, 60, 20) == [180, 60, 20]
    assert tree(11, 10, 9) == [36, 18, 9]  # two at least
    assert tree(90) is None


def test_a_config_that_is_a_vocabulary_tree_is_held_against_hierarchies() -> None:
    levels = [{"k": 90}, {"k": 30}, {"k": 10}]
    variants = {v.name: v for v in default_variants(made(cluster={"levels": levels, "tree": "top_down"}))}
    assert variants["vocabulary-tree"].cluster == {} and variants["3r"].cluster == {"tree": "bottom_up"}
    assert variants["3r-10"].cluster["tree"] == "bottom_up"
    variant_runs(made(cluster={"levels": levels, "tree": "top_down"}))


def test_each_other_encoder_is_a_method() -> None:
    encoders = {"small": {"encoder": "pixels", "size": 4}, "large": {"encoder": "pixels", "size": 8}}
    config = made(embed=None, encoders=encoders, cluster={"levels": LEVELS, "encoder": "large"})
    variants = {v.name: v for v in default_variants(config)}
    assert variants["encoder-small"].cluster == {"encoder": "small"} and "encoder-large" not in variants
    runs = {method: run for run in variant_runs(config) for method in run.methods}
    assert runs["encoder-small"].config.cluster.encoder == "small"
    assert runs["encoder-small"].run_id != runs["3r"].run_id


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
    found = variants.get(f"{depth}r")
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
        ("kmeans++", ["3r-"]),
        ("random", ["3r-kmeanspp"]),
        ("kmeans||", ["3r-", "3r-kmeanspp"]),
    ],
)
def test_random_and_plusplus_seeding_are_both_there(seeding: str, names: list[str]) -> None:
    variants = default_variants(made(cluster={"levels": LEVELS, "seeding": seeding}))
    assert [v.name for v in variants if "seeding" in v.cluster] == names
    assert all(v.cluster["seeding"] != seeding for v in variants if v.name in names)


def test_levels_that_nobody_resamples_are_resampled_above_the_first() -> None:
    variants = {v.name: v for v in default_variants(made(cluster={"levels": [{"k": 90}, {"k": 9}]}))}
    assert "2r-0" not in variants
    rounds = [level["resampling"] for level in variants["2r-10"].cluster["levels"]]
    assert rounds == [None, {"rounds": 10, "points": "half"}]


def test_a_single_level_is_varied_by_what_is_left() -> None:
    names = {variant.name for variant in default_variants(made(cluster={"levels": [{"k": 90}], "seeding": "random"}))}
    assert names == {"1r", "1r-k180", "1r-kmeanspp", "1c", "1f", "semdedup"}


def test_methods_that_differ_in_the_selection_alone_share_a_run() -> None:
    runs = variant_runs(made())
    assert [run.methods for run in runs] == [
        ["3r", "flat-1", "flat-2", "flat-3", "3c", "3f"],
        ["1r"], ["2r"], ["4r"], ["3r-0"], ["3r-1"], ["3r-100"], ["half-k"], ["3r-k18"], ["vocabulary-tree"], ["3r-"],
        ["semdedup"],
    ]  # fmt: skip
    assert len({run.run_id for run in runs}) == len(runs)
    assert [selection.target for run in runs for selection in run.config.select] == [100] * 17
    assert all(run.config.evaluate is None and run.config.compare is None for run in runs)
    assert sorted(method for run in runs for method in run.methods) == sorted(v.name for v in variants_of(made()))


def test_a_run_id_stands_for_the_clustering_alone() -> None:
    plain = variant_runs(made())[0].run_id
    assert variant_runs(made({"target": 7}))[0].run_id == plain
    assert variant_runs(made(spark={"spark.master": "local[1]"}))[0].run_id == plain
    assert variant_runs(made(seed=1))[0].run_id != plain
    assert variant_runs(made(embed={"encoder": "pixels", "size": 4}))[0].run_id != plain
    assert comparison_id(made({"target": 7})) != comparison_id(made()) == comparison_id(made())


@pytest.mark.parametrize(
    "sections",
    [
        {"embed": {"encoder": "pixels", "size": 8, "batch_size": 7}},
        {"embed": {"encoder": "pixels", "size": 8, "items_per_commit": 7}},
        {"cluster": {"levels": LEVELS, "checkpoint_every": 2}},
        {"cluster": {"levels": LEVELS, "metric": "euclidean"}},  # what is the default anyway
        {
            "embed": None,
            "encoders": {"x": {"encoder": "pixels", "size": 8}},
            "cluster": {"levels": LEVELS, "encoder": "x"},
        },
        {"source": {"kind": "images", "path": "data", "name": "data"}},
        {"evaluate": {}},
        {"report": {"out": "elsewhere"}},
        {"workspace": "elsewhere"},
    ],
)
def test_keys_that_say_how_and_not_what_change_no_id(sections: dict) -> None:
    plain, other = made(), made(**sections)
    assert comparison_id(other) == comparison_id(plain)
    assert [run.run_id for run in variant_runs(other)] == [run.run_id for run in variant_runs(plain)]
    changed = [Variant.model_validate({"name": "v", "embed": {"size": 4, "batch_size": n}}) for n in (1, 2)]
    if plain.embed and other.embed:
        ids = {comparison_id(made({"target": 100, "variants": [one.model_dump()]}, **sections)) for one in changed}
        assert len(ids) == 1


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


def test_flat_sampling_of_a_level_that_there_is_not_is_refused() -> None:
    variants = [{"name": "v", "select": {"method": "flat", "level": 4}}]
    with pytest.raises(ConfigError, match=r"level: 4, and cluster has 3 levels: lower it"):
        planned_runs(made({"target": 5, "variants": variants}))


def test_vectors_have_no_encoder_to_change() -> None:
    source = {"kind": "embeddings", "path": "v.npy"}
    config = made({"target": 5, "variants": [{"name": "v", "embed": {"size": 4}}]}, source=source, embed=None)
    with pytest.raises(ConfigError, match=r"compare.variants, v: the config has no encoder to change"):
        variant_runs(config)


def test_a_config_without_the_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="no section 'compare'"):
        variant_runs(made().model_copy(update={"compare": None}))


def test_what_is_measured_fits_the_configs_own_clustering() -> None:
    with pytest.raises(ConfigError, match=r"^evaluate\.labelled\.level: 4, and the clustering has 3: lower it"):
        planned_runs(made(evaluate={"labelled": {"path": "t", "level": 4}}))
    with pytest.raises(ConfigError, match="no source keeps the attribute 'nope'; known: source, label"):
        planned_runs(made(evaluate={"groups": ["nope"]}))
