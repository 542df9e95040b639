"""The package as the tests of its architecture see it: modules, the parts they belong to, their syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lib" / "equipoise"

MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "jobs").glob("*.py")])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(path: Path) -> str:
    """``kernels`` for ``kernels/lloyd.py``, ``errors`` for ``errors.py``, ``jobs`` for a job."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py") if PACKAGE in path.parents else "jobs"


def imported(path: Path) -> Iterator[str]:
    """The full names of all modules and names that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def starts_with(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def syntax_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
