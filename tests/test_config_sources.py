"""Several named sources and encoders: what a config may say of them, and the graph that follows."""

from pathlib import Path

import pytest

from configs import misfit, refusal, written
from equipoise.config import identity
from equipoise.encoders import encoder_id, given_encoder_id
from equipoise.schemas import EMBEDDINGS, Col
from equipoise.stages.configuration import graph_of, load_config

SEVERAL = {
    "source": None,
    "embed": None,
    "sources": {
        "web": {"kind": "images", "path": "w"},
        "news": {"kind": "images", "path": "n"},
        "notes": {"kind": "texts", "path": "t"},
    },
    "pool": ["web", "news"],
    "encoders": {"dino": {"encoder": "pixels", "size": 8}, "sscd": {"encoder": "pixels", "size": 4}},
}
LEVELS = [{"k": 30}, {"k": 5}]


def nodes(folder: Path, **sections) -> dict[str, tuple[str, ...]]:
    """Names of the nodes, and what each stands on."""
    graph = graph_of(load_config(written(folder, **sections)))
    return {node.name: graph.parents(node.name) for node in graph.order}


def test_the_short_form_has_plain_names(tmp_path):
    assert nodes(tmp_path) == {
        "ingest": (),
        "embed": ("ingest",),
        "cluster": ("ingest", "embed"),
        "select:balanced": ("cluster",),
    }


def test_nodes_are_named_by_encoder_and_source_and_only_the_pool_is_clustered(tmp_path):
    found = nodes(tmp_path, **SEVERAL, cluster={"levels": LEVELS, "encoder": "dino"})
    assert {name for name in found if name.startswith("ingest")} == {"ingest:web", "ingest:news", "ingest:notes"}
    # an encoder of images leaves texts alone
    assert {name for name in found if name.startswith("embed")} == {
        "embed:dino/web", "embed:dino/news", "embed:sscd/web", "embed:sscd/news",
    }  # fmt: skip
    assert found["embed:dino/web"] == ("ingest:web",)
    assert set(found["cluster"]) == {"ingest:web", "ingest:news", "embed:dino/web", "embed:dino/news"}


@pytest.mark.parametrize(
    "sections, names",
    [
        ({"encoders": {}, "embed": {"encoder": "pixels"}}, {"embed:web", "embed:news"}),
        (
            {"sources": {}, "pool": None, "source": {"kind": "images", "path": "w"}},
            {"embed:dino", "embed:sscd"},
        ),
    ],
)
def test_the_short_form_of_one_goes_with_several_of_the_other(tmp_path, sections, names):
    encoder = None if "embed" in sections else "sscd"
    found = nodes(tmp_path, **{**SEVERAL, **sections}, cluster={"levels": LEVELS, "encoder": encoder})
    assert {name for name in found if name.startswith("embed")} == names


def test_another_source_or_encoder_changes_no_fingerprint_of_what_does_not_use_it(tmp_path):
    def prints(**sections):
        graph = graph_of(load_config(written(tmp_path, **{**SEVERAL, **sections})))
        found: dict[str, str] = {}
        for node in graph.order:
            found[node.name] = node.fingerprint([found[name] for name in graph.parents(node.name)], {})
        return found

    clustered = {"cluster": {"levels": LEVELS, "encoder": "dino"}}
    before = prints(**clustered)
    more = {**SEVERAL["sources"], "seeds": {"kind": "images", "path": "s"}}
    encoders = {**SEVERAL["encoders"], "third": {"encoder": "pixels", "size": 2}}
    after = prints(**clustered, sources=more, encoders=encoders)
    assert {"ingest:seeds", "embed:third/web"} <= after.keys()
    assert {name: after[name] for name in before} == before


def test_the_pool_is_all_sources_by_default(tmp_path):
    images = {name: SEVERAL["sources"][name] for name in ("web", "news")}
    found = nodes(tmp_path, source=None, sources=images)
    assert set(found["cluster"]) == {"ingest:web", "ingest:news", "embed:web", "embed:news"}


def encoder_ids(folder: Path, **sections) -> set[str]:
    """Of the vectors that are clustered."""
    graph = graph_of(load_config(written(folder, **sections)))
    return {str(part.where[Col.encoder_id]) for part in graph["cluster"].needs if part.table is EMBEDDINGS}


@pytest.mark.parametrize("more", [{}, {"encoder": "given"}])
def test_given_vectors_have_the_id_of_what_made_them(tmp_path, more):
    """Of an encoder of the config it is the encoder's, of another model one by its name, else one by the source's."""
    web = {"kind": "embeddings", "path": "w.npy", **more}
    plain = {"source": None, "embed": None, "sources": {"web": web}}
    assert encoder_ids(tmp_path, **plain) == {given_encoder_id(more.get("encoder", "web"))}
    both = {"web": {**web, "encoder": "dino"}, "news": {"kind": "images", "path": "n"}}
    encoders = {"dino": {"encoder": "pixels", "size": 8}}
    assert encoder_ids(tmp_path, **{**plain, "sources": both}, encoders=encoders) == {encoder_id("pixels", {"size": 8})}


@pytest.mark.parametrize(
    "sections, encoder",
    [({}, "embed"), ({"source": {"kind": "embeddings", "path": "clip.npy"}, "embed": None}, "clip")],
)
def test_the_only_encoder_may_be_named_too(tmp_path, sections, encoder):
    named = nodes(tmp_path, **sections, cluster={"levels": LEVELS, "encoder": encoder})
    assert named == nodes(tmp_path, **sections, cluster={"levels": LEVELS})


def test_given_vectors_of_one_model_go_together(tmp_path):
    given = {name: {"kind": "embeddings", "path": f"{name}.npy", "encoder": "clip"} for name in ("web", "news")}
    found = nodes(tmp_path, source=None, embed=None, sources=given)
    assert set(found["cluster"]) == {"ingest:web", "ingest:news"}
    mixed = {**given, "more": {"kind": "images", "path": "m"}}
    found = nodes(tmp_path, source=None, embed=None, sources=mixed, encoders={"clip": {"encoder": "pixels"}})
    assert set(found["cluster"]) == {"ingest:web", "ingest:news", "ingest:more", "embed:clip/more"}


def test_the_name_of_a_source_is_in_the_identity_of_its_ingestion_once(tmp_path):
    vectors = {"kind": "embeddings", "path": "v.npy"}
    short = graph_of(load_config(written(tmp_path, source={**vectors, "name": "web"}, embed=None)))
    long = graph_of(load_config(written(tmp_path, source=None, embed=None, sources={"web": vectors})))
    assert identity(short["ingest"].settings) == identity(long["ingest:web"].settings)


def test_a_null_is_no_section(tmp_path):
    assert nodes(tmp_path, sources=None, encoders=None, pool=None) == nodes(tmp_path)


@pytest.mark.parametrize(
    "sections, said",
    [
        ({"source": {"kind": "images", "path": "x"}}, "source is the short form of sources"),
        ({"embed": {"encoder": "pixels"}}, "embed is the short form of encoders"),
        ({"pool": ["wbe"]}, "pool: there is no source 'wbe'; did you mean 'web'?"),
        ({"pool": []}, "pool: "),
        ({"pool": ["web", "news", "web"]}, "pool names 'web' twice"),
        ({"sources": {"web": {"path": "x"}}}, "sources.web: needs a kind, one of: images, "),
        ({"sources": {"web": {"kind": "images", "path": "x", "inline": "perhaps"}}}, "sources.web.inline: must be a"),
        ({"encoders": {"dino/x": {"encoder": "pixels"}}}, "encoders.dino/x"),
        ({"sources": {"a b": {"kind": "images", "path": "x"}}}, "sources.a b"),
        ({"sources": {"web": {"kind": "images", "path": "x", "name": "other"}}}, "sources.web.name: 'other' and 'web'"),
        ({"sources": {"web": {"kind": "imges", "path": "x"}}}, "sources.web: unknown kind 'imges'"),
        ({"sources": {"web": {"kind": "images", "pth": "x"}}}, "sources.web: unknown key 'pth'; did you mean 'path'?"),
        ({"encoders": {"dino": {"encoder": "pixels", "batch_size": 0}}}, "encoders.dino.batch_size"),
        (
            {"sources": {"dino": {"kind": "embeddings", "path": "x"}}, "pool": None},
            "sources.dino: its vectors would go by the name 'dino', which is an encoder's: write sources.dino.encoder",
        ),
    ],
)
def test_mistakes_in_names_are_refused(tmp_path, sections, said):
    assert said in refusal(tmp_path, **{**SEVERAL, **sections})


@pytest.mark.parametrize(
    "sections, said",
    [
        ({}, "cluster.encoder is needed, since several encoders make vectors: dino, sscd; name one"),
        ({"cluster": {"levels": LEVELS, "encoder": "dno"}}, "cluster.encoder: 'dno' makes no vectors of 'web', 'news'"),
        ({"cluster": {"levels": LEVELS, "encoder": "dno"}}, "did you mean 'dino'?"),
        (
            {"cluster": {"levels": LEVELS, "encoder": "dino"}, "pool": ["web", "notes"]},
            "no encoder makes vectors of all",
        ),
        ({"encoders": {"dino": {"encoder": "pixel"}}}, "encoder 'pixel' is unknown; did you mean 'pixels'?"),
        (
            {"encoders": {name: {"encoder": "pixels"} for name in ("dino", "same")}},
            f"both make embeddings(encoder_id={encoder_id('pixels', {})}, source=news): drop one, or make them differ",
        ),
        (
            {"pool": None, "sources": {name: {"kind": "texts", "path": name} for name in ("notes", "more")}},
            "encoders.dino.encoder: 'pixels' reads images, the sources hold texts; name another",
        ),
        (
            {"pool": None, "sources": {"web": {"kind": "embeddings", "path": "w.npy"}}},
            "sources.web.kind: embeddings brings its vectors, there is nothing to embed: drop the section "
            "encoders.dino",
        ),
        (
            {
                "pool": None,
                "encoders": {},
                "sources": {"web": {"kind": "embeddings", "path": "w.npy"}},
                "cluster": {"levels": LEVELS, "encoder": "wbe"},
            },
            "cluster.encoder: 'wbe' makes no vectors of 'web'; did you mean 'web'?",
        ),
        ({"pool": ["notes"]}, "cluster.encoder: no encoder makes vectors of all of 'notes'"),
        (
            {
                "encoders": {},
                "pool": None,
                "sources": {name: {"kind": "embeddings", "path": f"{name}.npy"} for name in ("web", "news")},
            },
            "where they bring vectors that one model made, say so by the key encoder of each source",
        ),
    ],
)
def test_names_that_miss_each_other_are_refused(tmp_path, sections, said):
    assert said in misfit(tmp_path, **{**SEVERAL, **sections})


def test_endings_of_files_may_have_a_dot_and_capitals_and_are_some(tmp_path):
    path = written(tmp_path)
    (source,) = load_config(path, ["source.extensions=[.PNG, png, tar.gz, ' .Tif']"]).named_sources
    assert source.section.extensions == ("png", "tar.gz", "tif")
    for value, said in {
        "[]": "extensions is empty",
        "['*.png']": "'*.png' is no ending",
        "['.']": "'' is no ending",
    }.items():
        message = refusal(tmp_path, f"source.extensions={value}")
        assert "source.extensions" in message and said in message
