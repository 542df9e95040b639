"""YAML and dotted overrides -> frozen, validated models. Unknown keys are refused, with the nearest known one."""

from equipoise.config.encoders import Embed
from equipoise.config.header import Config
from equipoise.config.loading import load, spark_settings, validated
from equipoise.config.places import Place
from equipoise.config.sections import HOW, TOLD, Section, identity, shown
from equipoise.config.sources import (
    ArraysSource,
    Block,
    EmbeddingsSource,
    ImagesSource,
    NamedSource,
    Source,
    TableSource,
    TextsSource,
    WebDatasetSource,
)
from equipoise.config.studies import Compare, Report, Variant

__all__ = [
    "HOW",
    "TOLD",
    "ArraysSource",
    "Block",
    "Compare",
    "Config",
    "Embed",
    "EmbeddingsSource",
    "ImagesSource",
    "NamedSource",
    "Place",
    "Report",
    "Section",
    "Source",
    "TableSource",
    "TextsSource",
    "Variant",
    "WebDatasetSource",
    "identity",
    "load",
    "shown",
    "spark_settings",
    "validated",
]
