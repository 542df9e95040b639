"""Automatic data curation for self-supervised learning, on Spark."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_config": "equipoise.stages.configuration",
    "get_session": "equipoise.session",
    "read_table": "equipoise.tables",
    "register_views": "equipoise.tables",
    "Level": "equipoise.kernels.levels",
    "fit_hierarchy": "equipoise.stages.functions",
    "select": "equipoise.stages.functions",
    "embed_udf": "equipoise.udfs",
    "assign_udf": "equipoise.udfs",
    "register_udfs": "equipoise.udfs",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Loads the public names on first use: the kernels must not wait for Spark to be imported."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
