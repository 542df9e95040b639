"""Tiny models of the library transformers with random weights, saved as it saves them."""

from pathlib import Path

import torch
import transformers as tf

VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
TEXT = {**VISION, "vocab_size": 60, "max_position_embeddings": 24}
WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "sleeps",
    "sofa",
    "on",
    "rates",
    "rose",
    "in",
    "march",
    "kitten",
    "naps",
    "couch",
    "it",
]


def saved(model, folder: Path, *beside) -> str:
    """With whatever it needs beside it; gives the encoder."""
    for part in (model, *beside):
        part.save_pretrained(folder)
    return f"transformers:{folder}"


def dinov2(folder: Path, **config) -> str:
    torch.manual_seed(0)
    model = tf.Dinov2Model(tf.Dinov2Config(**VISION, image_size=56, patch_size=14, **config))
    return saved(model, folder, bit())


def bit():
    """Of DINOv2: the shortest side, then the middle, bicubic."""
    return tf.BitImageProcessor(
        size={"shortest_edge": 64}, crop_size=56, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )


def registers(folder: Path) -> str:
    torch.manual_seed(0)
    config = tf.Dinov2WithRegistersConfig(**VISION, image_size=56, patch_size=14, num_register_tokens=3)
    return saved(tf.Dinov2WithRegistersModel(config), folder, bit())


def dinov3(folder: Path) -> str:
    torch.manual_seed(0)
    model = tf.DINOv3ViTModel(tf.DINOv3ViTConfig(**VISION, image_size=64, patch_size=16, num_register_tokens=4))
    return saved(model, folder, tf.DINOv3ViTImageProcessor(size={"height": 64, "width": 64}))


def clip(folder: Path) -> str:
    torch.manual_seed(0)
    vision = {**VISION, "image_size": 32, "patch_size": 8}
    model = tf.CLIPModel(tf.CLIPConfig(text_config=TEXT, vision_config=vision, projection_dim=16))
    return saved(model, folder, tf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32))


def siglip(folder: Path) -> str:
    torch.manual_seed(0)
    model = tf.SiglipModel(
        tf.SiglipConfig(text_config=TEXT, vision_config={**VISION, "image_size": 32, "patch_size": 8})
    )
    return saved(model, folder, tf.SiglipImageProcessor(size={"height": 32, "width": 32}))


def resnet(folder: Path) -> str:
    torch.manual_seed(0)
    config = tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return saved(tf.ResNetModel(config), folder, tf.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875))


def bert(folder: Path) -> str:
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = tf.BertTokenizer(str(folder / "vocab.txt"))
    return saved(tf.BertModel(tf.BertConfig(**TEXT)), folder, tokenizer)
