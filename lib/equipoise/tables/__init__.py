"""The only reader and writer of Delta tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.tables.checkpoint import DeltaCheckpoint
    from equipoise.tables.views import read_table, register_views
    from equipoise.tables.workspace import Workspace

__all__ = ["DeltaCheckpoint", "Workspace", "read_table", "register_views"]

_HOMES = {
    "DeltaCheckpoint": "equipoise.tables.checkpoint",
    "Workspace": "equipoise.tables.workspace",
    "read_table": "equipoise.tables.views",
    "register_views": "equipoise.tables.views",
}


def __getattr__(name: str) -> Any:
    """Loads the names on first use: what reads local folders does without Spark."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
