"""The architecture of DESIGN section 1: which part may import which, and who alone may do what."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

from modules import MODULES, PACKAGE, ROOT, imported, name_of, part_of, starts_with, syntax_of

LAYERS = [
    {"jobs"},
    {"cli"},
    {"studies", "udfs"},
    {"stages"},
    {"runs", "sources"},
    {"pipeline", "evaluation", "papers", "planning", "report", "tables", "session", "config"},
    {"encoders", "kernels", "schemas"},
    {"errors", "consoles"},
]
"""From the top down: a part imports from layers below its own, and from its neighbours."""

BARRED = {
    "kernels": {"pyspark", "delta", "py4j", "equipoise.schemas", "equipoise.encoders"},
    "encoders": {"pyspark", "delta", "py4j", "equipoise.schemas", "equipoise.kernels"},
    "errors": {"pyspark", "delta", "py4j", "numpy"},
    "consoles": {"pyspark", "delta", "py4j", "numpy"},
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


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


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
        for node in syntax_of(path)
        if isinstance(node, ast.Attribute) and node.attr == "getOrCreate"
    }
    assert callers == {"session"}


def users_of(are_used) -> set[str]:
    """The parts of the package that have a module whose syntax tree's nodes answer this with true."""
    return {part_of(path) for path in MODULES if PACKAGE in path.parents and are_used(syntax_of(path))}


def importers_of(library: str) -> set[str]:
    """The parts of the package that import something of a library."""
    return {
        part_of(path)
        for path in MODULES
        if PACKAGE in path.parents and any(starts_with(name, library) for name in imported(path))
    }


DELTA_SQL = re.compile(r"^delta$|\bdelta\.`|\busing delta\b", re.IGNORECASE)
"""``format("delta")``, and what of SQL names a table of Delta's: also as a piece of an f-string."""


def names_delta(nodes: Sequence[ast.AST]) -> bool:
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return any(DELTA_SQL.search(text) for text in texts)


def writes_rows(nodes: Sequence[ast.AST]) -> bool:
    """``rows.write``, whatever comes of it, or the newer forms: ``file.write(...)``, which is called, is another's."""
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    return any(
        node.attr in ("writeTo", "writeStream", "saveAsTable", "insertInto")
        or (node.attr == "write" and id(node) not in called)
        for node in attributes
    )


def test_only_the_tables_and_the_sources_know_delta():
    assert importers_of("delta.tables") == {"tables", "sources"}  # a user's own table may be Delta, too
    assert users_of(names_delta) == {"tables", "sources", "session"}  # which starts Spark with its JARs
    assert importers_of("deltalake.DeltaTable") == {"tables"}  # the reader without a JVM


def test_only_the_tables_write_rows():
    assert users_of(writes_rows) == {"tables"}


@pytest.mark.parametrize(
    "code, finds",
    [
        ("rows.write.format('delta').save(path)", (True, True)),
        ("writer = rows.write", (True, False)),
        ("rows.writeTo(name).create()", (True, False)),
        ("spark.sql(f'create table {name} using delta')", (False, True)),
        ("spark.sql(f'select * from delta.`{path}`')", (False, True)),
        ("file.write(content)", (False, False)),
        ("'the delta of two rates'", (False, False)),
    ],
)
def test_what_writes_and_what_names_delta_is_found(code, finds):
    nodes = list(ast.walk(ast.parse(code)))
    assert (writes_rows(nodes), names_delta(nodes)) == finds


LIGHT = (
    "equipoise.cli",
    "equipoise.stages.configuration",
    "equipoise.stages.running",
    *(f"equipoise.stages.{path.parent.name}" for path in sorted((PACKAGE / "stages").glob("*/__init__.py"))),
    *(f"equipoise.runs.{name}" for name in ("account", "graph", "node", "record", "stage", "steps", "vectors")),
    "equipoise.studies.graph",
)
"""What declares, and what follows from declarations alone."""
HEAVY = ("pyspark", "delta", "scipy", "sklearn", "pandas", "torch", "faiss", "matplotlib")


def test_declarations_and_checks_import_nothing_heavy():
    """A config is refused, a graph is shown and ``--help`` is printed before Spark and its kin are imported."""
    code = (
        f"import sys, {', '.join(LIGHT)}\n"
        "from equipoise.stages.running import planned\n"
        "config = equipoise.stages.configuration.load_config('conf/demo.yaml', ['source.path=conf'])\n"
        "assert [node.name for node in equipoise.stages.configuration.graph_of(config).order]\n"
        "plan = planned(config)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "plan.check('r')\n"
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
