"""Columns are spelled in the schemas alone: everything else says ``Col``."""

import ast
from collections.abc import Iterator, Sequence

import pytest

from modules import MODULES, PACKAGE, name_of, part_of, syntax_of


def texts_in(*nodes: ast.AST) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def column_names() -> set[str]:
    tree = ast.parse((PACKAGE / "schemas" / "columns.py").read_text(encoding="utf-8"))
    col = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Col")
    return {str(ast.literal_eval(node.value)) for node in col.body if isinstance(node, ast.Assign)}


WITH_TABLES = {"studies", "stages", "runs", "sources", "pipeline", "evaluation", "papers", "report", "tables"}


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in WITH_TABLES], ids=name_of)
def test_columns_are_spelled_in_the_schemas_alone(path):
    """A name with an underscore is nobody's everyday word: as a literal it would be a column, spelled again."""
    columns = {name for name in column_names() if "_" in name}
    assert not set(texts_in(*syntax_of(path))) & columns


NAMING = {
    *("col", "column", "alias", "select", "selectExpr", "withColumn", "withColumnRenamed", "drop", "dropDuplicates"),
    *("groupBy", "agg", "orderBy", "sort", "sortWithinPartitions", "repartition", "partitionBy", "join", "pivot"),
    *("min", "max", "sum", "avg", "count", "first", "size", "explode", "struct", "xxhash64", "asc", "desc", "max_by"),
    *("getField", "getItem", "groupby", "sort_values", "set_index", "merge"),
}
"""Methods and functions of Spark and pandas whose texts are names of columns."""


def named_columns(nodes: Sequence[ast.AST]) -> set[str]:
    """Texts that such a call is given; ``", ".join`` is a text's own, and what is in ``lit`` is a value."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    naming = [call for call in calls if call.func.attr in NAMING and not isinstance(call.func.value, ast.Constant)]
    given = [part for call in naming for part in (*call.args, *(keyword.value for keyword in call.keywords))]
    return {text for part in given for text in texts_in(*below(part))}


def below(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what it is made of, but for what is in ``lit``."""
    is_value = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "lit"
    yield node
    for child in () if is_value else ast.iter_child_nodes(node):
        yield from below(child)


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in WITH_TABLES], ids=name_of)
def test_columns_with_everyday_names_are_spelled_there_too(path):
    """``rank`` or ``level`` may be a word of its own, but not where Spark is told a column."""
    assert not named_columns(syntax_of(path)) & column_names()


@pytest.mark.parametrize(
    "code, found",
    [
        ("rows.withColumn('rank', F.lit(1))", {"rank"}),
        ("rows.where(F.col('level') == F.lit('rank'))", {"level"}),
        ("rows.groupBy(Col.level).agg(F.count('*').alias('value'))", {"*", "value"}),
        ("', '.join('rank')", set()),
        ("F.xxhash64(F.lit('chunk'), Col.item_id)", set()),
    ],
)
def test_columns_in_calls_are_found(code, found):
    assert named_columns(list(ast.walk(ast.parse(code)))) == found
