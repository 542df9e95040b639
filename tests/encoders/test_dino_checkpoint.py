"""``dino-checkpoint:FILE``: against a forward pass written out here, by the names that DINO and DINOv2 publish."""

import argparse
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from torch.nn import functional as F  # noqa: E402
from torchvision import transforms  # noqa: E402

from encoded import encoded, file_of, photograph  # noqa: E402
from equipoise.encoders import base, check_encoder, encoder_id, encoder_kind, load_encoder  # noqa: E402
from equipoise.errors import ConfigError  # noqa: E402

RAW = {"normalise": False}
SMALL = {"size": 64, "crop": 56}
PATCH, WIDTH, DEPTH, SIDE = 14, 64, 3, 4


@dataclass(frozen=True)
class Form:
    """What differs between DINO (the defaults), DINOv2, and DINOv2 with registers or SwiGLU."""

    scaled: bool = False
    registers: int = 0
    gated: bool = False
    second: bool = False


DINO, DINOV2 = Form(), Form(scaled=True, second=True)
FORMS = {
    "dino": DINO,
    "dinov2": DINOV2,
    "registers": Form(scaled=True, registers=4, second=True),
    "swiglu": Form(scaled=True, gated=True, second=True),
}


def backbone(form, side=SIDE, seed=0):
    """Random weights under the names of the papers' own code."""
    draws = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=draws) * 0.2

    hidden = 96
    weights = {"cls_token": random(1, 1, WIDTH), "pos_embed": random(1, side * side + 1, WIDTH)}
    weights |= {"patch_embed.proj.weight": random(WIDTH, 3, PATCH, PATCH), "patch_embed.proj.bias": random(WIDTH)}
    weights |= {"mask_token": random(1, WIDTH)} if form.second else {}
    weights |= {"register_tokens": random(1, form.registers, WIDTH)} if form.registers else {}
    layers = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH)}
    layers |= (
        {"mlp.w12": (2 * hidden, WIDTH), "mlp.w3": (WIDTH, hidden)}
        if form.gated
        else {"mlp.fc1": (hidden, WIDTH), "mlp.fc2": (WIDTH, hidden)}
    )
    for block in range(DEPTH):
        for name, shape in layers.items():
            weights[f"blocks.{block}.{name}.weight"] = random(*shape)
            weights[f"blocks.{block}.{name}.bias"] = random(shape[0])
        for name in ("norm1", "norm2"):
            weights |= {
                f"blocks.{block}.{name}.weight": 1 + random(WIDTH),
                f"blocks.{block}.{name}.bias": random(WIDTH),
            }
        if form.scaled:
            weights |= {f"blocks.{block}.ls{number}.gamma": random(WIDTH) for number in (1, 2)}
    return weights | {"norm.weight": 1 + random(WIDTH), "norm.bias": random(WIDTH)}


def tokens_of(weights, picture, heads=1):
    """(1 + registers + patches, width), normalised: the forward pass of the papers' code."""

    def norm(values, name):
        return F.layer_norm(values, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-6)

    def linear(values, name):
        return F.linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def attention(values, name):
        query, key, value = linear(values, f"{name}.qkv").reshape(-1, 3, heads, WIDTH // heads).permute(1, 2, 0, 3)
        shares = (query @ key.transpose(1, 2) * (WIDTH // heads) ** -0.5).softmax(dim=-1)
        return linear((shares @ value).transpose(0, 1).reshape(-1, WIDTH), f"{name}.proj")

    def between(values, name):
        if f"{name}.w12.weight" in weights:
            gate, rest = linear(values, f"{name}.w12").chunk(2, dim=-1)
            return linear(F.silu(gate) * rest, f"{name}.w3")
        return linear(F.gelu(linear(values, f"{name}.fc1")), f"{name}.fc2")

    patches = F.conv2d(
        picture[None], weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=PATCH
    )
    tokens = torch.cat([weights["cls_token"][0], patches[0].flatten(1).T]) + weights["pos_embed"][0]
    if "register_tokens" in weights:
        tokens = torch.cat([tokens[:1], weights["register_tokens"][0], tokens[1:]])
    for block in range(DEPTH):
        scales = [weights.get(f"blocks.{block}.ls{number}.gamma", 1) for number in (1, 2)]
        tokens = tokens + scales[0] * attention(norm(tokens, f"blocks.{block}.norm1"), f"blocks.{block}.attn")
        tokens = tokens + scales[1] * between(norm(tokens, f"blocks.{block}.norm2"), f"blocks.{block}.mlp")
    return norm(tokens, "norm").numpy()


def prepared(size, crop):
    """As DINO and DINOv2 are evaluated."""
    steps = [transforms.Resize(size, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(crop)]
    steps += [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    return transforms.Compose(steps)(photograph())


def written(path, checkpoint):
    torch.save(checkpoint, path)
    return f"dino-checkpoint:{path}"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_vectors_are_those_of_the_papers_code(tmp_path, form):
    weights, contents = backbone(form), file_of(photograph())
    name = written(tmp_path / "backbone.pth", weights)
    tokens = tokens_of(weights, prepared(64, 56))
    mean = tokens[1 + form.registers :].mean(axis=0)
    for pool, expected in {"cls": tokens[0], "mean": mean, "cls_mean": np.concatenate([tokens[0], mean])}.items():
        found = encoded(name, contents, **SMALL, pool=pool, **RAW)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
    unit = encoded(name, contents, **SMALL)[0]  # the CLS token, of length one
    np.testing.assert_allclose(unit, tokens[0] / np.linalg.norm(tokens[0]), atol=1e-5)


def chunked(weights):
    """As DINOv2 trains blocks together: blocks.<chunk>.<block>."""
    return {
        name.replace("blocks.", f"blocks.{int(name.split('.')[1]) // 2}.", 1)
        if name.startswith("blocks.")
        else name: value
        for name, value in weights.items()
    }


def of_dino(teacher, student):
    """``checkpoint.pth`` of DINO's main_dino.py, with the arguments of the run."""
    heads = {"head.mlp.0.weight": torch.zeros(2, WIDTH), "head.last_layer.weight_v": torch.zeros(3, 2)}
    return {
        "student": {f"module.backbone.{name}": value for name, value in student.items()}
        | {f"module.{name}": value for name, value in heads.items()},
        "teacher": {f"backbone.{name}": value for name, value in teacher.items()} | heads,
        "optimizer": {"state": {}, "param_groups": []},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_small", patch_size=16),
        "dino_loss": {"center": torch.zeros(1, 3)},
    }


def of_dinov2(teacher):
    """``teacher_checkpoint.pth`` of DINOv2's training, whose blocks come in chunks."""
    heads = {"dino_head.last_layer.weight_g": torch.ones(3, 1), "ibot_head.mlp.0.bias": torch.zeros(2)}
    return {"teacher": {f"backbone.{name}": value for name, value in chunked(teacher).items()} | heads}


def test_every_published_form_is_the_same_backbone(tmp_path):
    first, second, contents = backbone(DINO), backbone(DINOV2, seed=1), file_of(photograph())
    student = backbone(DINO, seed=2)
    forms = {
        "dino": (of_dino(first, student), first, {}),
        "student": (of_dino(first, student), student, {"network": "student"}),
        "dinov2": (of_dinov2(second), second, {}),
        "model": ({"model": second}, second, {}),
        "both": ({"model": {f"{of}.{name}": value for of, own in (("teacher", second), ("student", first))
                            for name, value in {f"backbone.{name}": value for name, value in own.items()}.items()}},
                 second, {}),
        "state_dict": ({"state_dict": {f"module.{name}": value for name, value in first.items()}}, first, {}),
    }  # fmt: skip
    for form, (checkpoint, weights, options) in forms.items():
        name = written(tmp_path / f"{form}.pth", checkpoint)
        found = encoded(name, contents, **SMALL, **options, **RAW)
        np.testing.assert_allclose(found[0], tokens_of(weights, prepared(64, 56))[0], atol=1e-5, err_msg=form)
    old = tmp_path / "old.pth"  # as torch wrote files before 1.6
    torch.save(first, old, _use_new_zipfile_serialization=False)
    found = encoded(f"dino-checkpoint:{old}", contents, **SMALL, **RAW)
    np.testing.assert_allclose(found[0], tokens_of(first, prepared(64, 56))[0], atol=1e-5)


@pytest.mark.parametrize("form", ["dino", "registers"])
def test_position_embeddings_fit_the_size_that_is_asked_for(tmp_path, form):
    """Interpolated as timm does it, bicubic and antialiased, the CLS token's left alone."""
    from timm.layers import resample_abs_pos_embed

    weights = backbone(FORMS[form])
    name = written(tmp_path / "backbone.pth", weights)
    positions = resample_abs_pos_embed(weights["pos_embed"], new_size=[6, 6], num_prefix_tokens=1)
    expected = tokens_of({**weights, "pos_embed": positions}, prepared(90, 84))[0]
    found = encoded(name, file_of(photograph()), size=90, crop=84, **RAW)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_by_default_pictures_are_prepared_as_dino_is_evaluated(tmp_path):
    weights = backbone(DINO, side=16)
    name = written(tmp_path / "backbone.pth", weights)
    found = encoded(name, file_of(photograph()), **RAW)
    np.testing.assert_allclose(found[0], tokens_of(weights, prepared(256, 224))[0], atol=1e-5)


def test_heads_are_one_for_64_numbers_unless_told(tmp_path):
    weights, contents = backbone(DINO), file_of(photograph())
    name = written(tmp_path / "backbone.pth", weights)
    found = encoded(name, contents, **SMALL, heads=4, **RAW)
    np.testing.assert_allclose(found[0], tokens_of(weights, prepared(64, 56), heads=4)[0], atol=1e-5)
    with pytest.raises(ConfigError, match="attention heads of 64 numbers a token: heads is 5; it must divide that"):
        check_encoder(name, {**SMALL, "heads": 5})
    narrow = {key: value[..., :48] if key in ("cls_token", "pos_embed") else value for key, value in weights.items()}
    narrow["patch_embed.proj.weight"] = weights["patch_embed.proj.weight"][:48]
    with pytest.raises(ConfigError, match="attention heads of 48 numbers a token: say how many by heads"):
        check_encoder(written(tmp_path / "narrow.pth", narrow), SMALL)


def without(*names):
    return {name: value for name, value in backbone(DINO).items() if name not in names}


@pytest.mark.parametrize(
    "checkpoint, options, said",
    [
        (lambda: {"conv1.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}, {}, "it has conv1.weight, fc.bias"),
        (lambda: {"epoch": 3, "optimizer": {}}, {}, "it has epoch, optimizer"),
        (lambda: without("pos_embed"), {}, "it has cls_token, patch_embed.proj.weight, .* and .* more"),
        (
            lambda: backbone(DINO) | {"rope_embed.periods": torch.zeros(4)},
            {},
            "has what no DINO has: rope_embed.periods",
        ),
        (lambda: [torch.zeros(1)], {}, "the file holds no names and weights, but a list"),
        (
            lambda: {"teacher": backbone(DINO)},
            {"network": "student"},
            "the file has no student, of teacher; see network",
        ),
        (lambda: backbone(DINO), {"size": 64, "crop": 60}, "60 pixels a side are not whole patches of 14; .*56 or 70"),
        (lambda: backbone(DINO), {"size": 12, "crop": 12}, "not whole patches of 14; make crop 14"),
        (lambda: backbone(DINO), {"size": 50, "crop": 56}, "crop is 56, beyond the size, 50"),
        (lambda: without("blocks.0.mlp.fc1.weight"), {}, "have neither blocks.0.mlp.fc1 nor blocks.0.mlp.w12"),
        (lambda: backbone(DINO) | {"pos_embed": torch.zeros(1, 9, WIDTH)}, {}, "3 x 14 x 14 in 8 places; they must be"),
    ],
)
def test_what_is_not_recognised_is_refused_before_any_work(tmp_path, checkpoint, options, said):
    name = written(tmp_path / "odd.pth", checkpoint())
    for ask in (check_encoder, lambda name, given: load_encoder(name, **given)):
        with pytest.raises(ConfigError, match=said) as caught:
            ask(name, {**SMALL, **options})
        assert str(caught.value).startswith(f"encoder {name}")


def test_weights_that_are_missing_and_files_that_are_none_are_told(tmp_path):
    name = written(tmp_path / "missing.pth", without("blocks.2.norm1.bias"))
    with pytest.raises(ConfigError, match=r"cannot be loaded: .*blocks\.2\.norm1\.bias"):
        load_encoder(name, **SMALL)
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(ConfigError, match=r"text.pth cannot be loaded: "):
        check_encoder(f"dino-checkpoint:{tmp_path / 'text.pth'}", {})
    with pytest.raises(ConfigError, match=r"none.pth does not exist"):
        check_encoder(f"dino-checkpoint:{tmp_path / 'none.pth'}", {})


def test_the_id_changes_with_every_option_and_with_the_file(tmp_path):
    name = written(tmp_path / "a.pth", backbone(DINO))
    other = written(tmp_path / "b.pth", backbone(DINO, seed=1))
    choices = [{}, {"pool": "cls_mean"}, {"network": "student"}, {"heads": 2}, {"size": 257}, {"crop": 210}]
    choices += [{"resize": "square"}, {"interpolation": "bilinear"}, {"mean": [0, 0, 0]}, {"std": [1, 1, 1]}]
    choices += [{"normalise": False}, {"half": True}]
    ids = [encoder_id(name, options) for options in choices] + [encoder_id(other, {})]
    assert len(set(ids)) == len(ids) and ids[0].startswith("dino-checkpoint-a.pth-")
    (tmp_path / "moved").mkdir()
    (tmp_path / "a.pth").rename(tmp_path / "moved/a.pth")
    assert encoder_id(f"dino-checkpoint:{tmp_path / 'moved/a.pth'}", {"size": 256, "crop": 224}) == ids[0]


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=r"needs the library timm: pip install 'equipoise\[timm\]'"):
        check_encoder("dino-checkpoint:a.pth", {})
    assert encoder_kind("dino-checkpoint:a.pth", {}) == "images"
