"""The only reader and writer of Delta tables."""

from equipoise.tables.checkpoint import DeltaCheckpoint
from equipoise.tables.views import read_table, register_views
from equipoise.tables.workspace import Workspace

__all__ = ["DeltaCheckpoint", "Workspace", "read_table", "register_views"]
