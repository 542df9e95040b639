"""The architecture of DESIGN section 1: which part may import which, and who alone may do what."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lib" / "equipoise"

LAYERS = [
    {"jobs"},
    {"cli"},
    {"studies"},
    {"stages"},
    {"runs", "sources"},
    {"pipeline", "evaluation", "papers", "planning", "report", "tables", "session", "config"},
    {"encoders", "kernels", "schemas"},
    {"errors"},
]
"""From the top down: a part imports from layers below its own, and from its neighbours."""

BARRED = {
    "kernels": {"pyspark", "delta", "py4j", "equipoise.schemas", "equipoise.encoders"},
    "encoders": {"pyspark", "delta", "py4j", "equipoise.schemas", "equipoise.kernels"},
    "errors": {"pyspark", "delta", "py4j", "numpy"},
    "pipeline": {
        "delta",
        "omegaconf",
        "yaml",
        "equipoise.tables",
        "equipoise.session",
        "equipoise.config",
        "equipoise.evaluation",
        "equipoise.report",
    },
    "evaluation": {"equipoise.tables", "equipoise.config", "equipoise.session", "equipoise.report"},
    "report": {"equipoise.tables", "equipoise.config", "equipoise.session"},
    "planning": {"pyspark", "delta", "equipoise.pipeline", "equipoise.tables"},
    "tables": {"omegaconf", "yaml", "equipoise.session", "equipoise.config"},
    "config": {"pyspark", "delta", "py4j"},
}
"""What a part must not import beside that: prefixes of module names."""

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


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def starts_with(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def test_every_part_of_the_package_has_a_layer():
    parts = {part_of(path) for path in MODULES} - {"__init__", "py"}
    assert parts == set().union(*LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down_only(path):
    part = part_of(path)
    if part == "__init__":  # hands out the public names, by name and on first use
        assert not [name for name in imported(path) if starts_with(name, "equipoise")]
        return
    for name in imported(path):
        names = name.split(".")
        if names[0] == "equipoise" and names[1] != "__version__":
            assert layer_of(names[1]) >= layer_of(part), f"{part} imports {name}, which lies above it"


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in BARRED], ids=name_of)
def test_parts_leave_alone_what_is_not_theirs(path):
    barred = [prefix for name in imported(path) for prefix in BARRED[part_of(path)] if starts_with(name, prefix)]
    assert not barred


def test_only_the_session_starts_spark():
    callers = {
        part_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "getOrCreate"
    }
    assert callers == {"session"}


def users_of(is_used) -> set[str]:
    """The parts of the package that have a module with a node of the syntax tree for which this is true."""
    return {
        part_of(path)
        for path in MODULES
        if PACKAGE in path.parents and any(map(is_used, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }


def test_only_the_tables_and_the_sources_know_delta():
    importers = {
        part_of(path)
        for path in MODULES
        if PACKAGE in path.parents and any(starts_with(name, "delta.tables") for name in imported(path))
    }
    namers = users_of(lambda node: isinstance(node, ast.Constant) and node.value == "delta")
    assert importers == {"tables", "sources"}  # a user's own table may be Delta, too
    assert namers == {"tables", "sources", "session"}  # which starts Spark with its JARs


def test_only_the_tables_write_rows():
    """``rows.write.something``, or the newer form of it."""

    def is_writing(node: ast.AST) -> bool:
        of_writer = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)
        is_writer = of_writer and node.value.attr == "write"
        return is_writer or (isinstance(node, ast.Attribute) and node.attr in ("writeTo", "saveAsTable", "insertInto"))

    assert users_of(is_writing) == {"tables"}


LIGHT = ("equipoise.cli", "equipoise.stages.configuration", "equipoise.stages.running", "equipoise.runs.steps")
HEAVY = ("pyspark", "delta", "scipy", "sklearn", "pandas", "torch", "faiss", "matplotlib")


def test_declarations_and_checks_import_nothing_heavy():
    """A config is refused, a graph is shown and ``--help`` is printed before Spark and its kin are imported."""
    code = (
        f"import sys, {', '.join(LIGHT)}\n"
        "from equipoise.stages.running import planned\n"
        "config = equipoise.stages.configuration.load_config('conf/demo.yaml', ['source.path=conf'])\n"
        "plan = planned(config)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "plan.check()\n"
        f"print([name for name in {HEAVY} if name in sys.modules and name != 'scipy'])"  # it counts what backends need
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.split() == ["[]", "[]"], done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((PACKAGE / "stages").glob("*/__init__.py")), ids=name_of)
def test_a_declaration_does_no_work(path):
    barred = ("equipoise.pipeline", "equipoise.evaluation", "equipoise.tables", "equipoise.runs.context")
    assert not [name for name in imported(path) for prefix in barred if starts_with(name, prefix)]


def test_stages_do_not_know_each_other():
    """What one needs another makes: only the graph says which. Its section may be looked at by what describes it."""
    for path in (PACKAGE / "stages").glob("*/*.py"):
        own = path.parent.name
        others = {
            name.split(".")[2]
            for name in imported(path)
            if starts_with(name, "equipoise.stages") and len(name.split(".")) > 2
        }
        assert others <= {own}, f"{name_of(path)} imports {others - {own}}"


def column_names() -> set[str]:
    tree = ast.parse((PACKAGE / "schemas" / "columns.py").read_text(encoding="utf-8"))
    col = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Col")
    return {str(ast.literal_eval(node.value)) for node in col.body if isinstance(node, ast.Assign)}


WITH_TABLES = {"studies", "stages", "runs", "sources", "pipeline", "evaluation", "papers", "report", "tables"}


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in WITH_TABLES], ids=name_of)
def test_columns_are_spelled_in_the_schemas_alone(path):
    """A name with an underscore is nobody's everyday word: as a literal it would be a column, spelled again."""
    columns = {name for name in column_names() if "_" in name}
    literals = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not literals & columns


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.skipif(not NOTEBOOKS, reason="there are no notebooks")
def test_notebooks_define_nothing():
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in (cell for cell in cells if cell["cell_type"] == "code"):
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.startswith(("%", "!"))]
            definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            found = [node.name for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, definitions)]
            assert not found, f"{name_of(path)} defines {found}: that belongs into the package"
