"""Which runs a comparison takes, and what is refused: no Spark."""

import pytest

from equipoise.config import Config
from equipoise.errors import ConfigError
from equipoise.stages.variants import comparison_id, default_variants, variant_runs

LEVELS = [{"k": 90}, {"k": 30}, {"k": 9, "resampling": {"rounds": 10, "points": "half"}}]


def made(compare: dict | None = None, **sections) -> Config:
    plain = {
        "name": "t",
        "workspace": "w",
        "source": {"kind": "images", "path": "data"},
        "embed": {"encoder": "pixels", "size": 8},
        "cluster": {"levels": LEVELS},
        "compare": compare or {"target": 100},
    }
    return Config.model_validate({**plain, **sections})


def test_the_methods_that_a_user_need_not_write() -> None:
    variants = {variant.name: variant for variant in default_variants(made())}
    ks = {name: [level["k"] for level in v.cluster["levels"]] for name, v in variants.items() if "levels" in v.cluster}
    assert ks == {"flat-kmeans": [9], "levels-2": [90, 9], "resampling-0": [90, 30, 9], "resampling-1": [90, 30, 9]}
    assert variants["levels-3"].cluster == {}
    assert variants["resampling-1"].cluster["levels"][2]["resampling"] == {"rounds": 1, "points": "half"}
    assert variants["resampling-1"].cluster["levels"][1]["resampling"] is None
    assert "resampling-10" not in variants  # what the config itself does
    assert variants["seeding-random"].cluster == {"seeding": "random"}
    assert variants["sampling-flat"].select == {"method": "flat"}


def test_levels_that_nobody_resamples_are_resampled_above_the_first() -> None:
    variants = {v.name: v for v in default_variants(made(cluster={"levels": [{"k": 90}, {"k": 9}]}))}
    assert "resampling-0" not in variants
    rounds = [level["resampling"] for level in variants["resampling-10"].cluster["levels"]]
    assert rounds == [None, {"rounds": 10, "points": "half"}]


def test_a_single_level_is_varied_by_what_is_left() -> None:
    names = {variant.name for variant in default_variants(made(cluster={"levels": [{"k": 90}], "seeding": "random"}))}
    assert names == {"levels-1", "within-closest", "within-farthest"}


def test_methods_that_differ_in_the_selection_alone_share_a_run() -> None:
    runs = variant_runs(made())
    assert [run.methods for run in runs] == [
        ["levels-3", "sampling-flat", "within-closest", "within-farthest"],
        ["flat-kmeans"], ["levels-2"], ["resampling-0"], ["resampling-1"], ["seeding-random"],
    ]  # fmt: skip
    assert len({run.run_id for run in runs}) == len(runs)
    assert [selection.target for run in runs for selection in run.config.select] == [100] * 9
    assert all(run.config.evaluate is None and run.config.compare is None for run in runs)


def test_a_run_id_stands_for_the_clustering_alone() -> None:
    plain = variant_runs(made())[0].run_id
    assert variant_runs(made({"target": 7}))[0].run_id == plain
    assert variant_runs(made(spark={"spark.master": "local[1]"}))[0].run_id == plain
    assert variant_runs(made(seed=1))[0].run_id != plain
    assert variant_runs(made(embed={"encoder": "pixels", "size": 4}))[0].run_id != plain
    assert comparison_id(made({"target": 7})) != comparison_id(made()) == comparison_id(made())


def test_another_encoder_takes_none_of_the_options_of_the_first() -> None:
    variants = [
        {"name": "small", "embed": {"size": 4}},
        {"name": "texts", "embed": {"encoder": "sentence-transformers:x", "normalise": True}},
    ]
    own, small, texts = variant_runs(made({"target": 5, "variants": variants}))
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
    with pytest.raises(ConfigError, match="has no encoder to change"):
        variant_runs(config)


def test_a_config_without_the_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="no section 'compare'"):
        variant_runs(made().model_copy(update={"compare": None}))
