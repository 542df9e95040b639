"""Selects of Spark's SQL for DuckDB: sources and joins, stars, names of columns, what follows them."""

from sqlglot import exp

from equipoise.studies.sql import aggregates, arithmetic, expressions  # noqa: F401 - arithmetic registers itself
from equipoise.studies.sql.kinds import (
    Columns,
    ColumnsOf,
    Kind,
    Output,
    Scope,
    Source,
    TranslationError,
    check_parts,
    kind,
    translates,
)
from equipoise.studies.sql.names import name_of

_HALVES = ("SEMI", "ANTI")
_PARTS = ("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_")


def translate(tree: exp.Select, scope: Scope) -> Columns:
    """Brings a select to DuckDB's meaning, in place; returns the columns of its answer.

    Raises:
        TranslationError: it is, or holds, what has not been compared.
    """
    columns = _select(tree, scope)
    aggregates.bound_sums(tree)
    return columns


def _select(node: exp.Expr, scope: Scope) -> Columns:
    if not isinstance(node, exp.Select):
        raise TranslationError(type(node).__name__)
    check_parts(node, *_PARTS)
    _common_tables(node, scope)
    if source := node.args.get("from_"):
        check_parts(source, "this")
        scope.sources.append(_source(source.this, scope))
    for join in node.args.get("joins") or []:
        _join(join, scope)
    if where := node.args.get("where"):
        expressions.check_flag(where.this, scope)
    columns = _projections(node, scope)
    _after(node, scope)
    return columns


def _common_tables(node: exp.Select, scope: Scope) -> None:
    given = node.args.get("with_")
    if not given:
        return
    check_parts(given, "expressions")
    for table in given.expressions:
        check_parts(table, "this", "alias")
        check_parts(table.args["alias"], "this")
        columns = _select(table.this, Scope(scope.columns_of))
        scope.columns_of = _with(table.alias, columns, scope)


def _with(name: str, columns: Columns, scope: Scope) -> ColumnsOf:
    others = scope.columns_of
    return lambda wanted: columns if wanted.lower() == name.lower() else others(wanted)


def _source(node: exp.Expr, scope: Scope) -> Source:
    if alias := node.args.get("alias"):
        check_parts(alias, "this")
    check_parts(node, "this", "alias")
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        return Source(node.alias_or_name.lower(), scope.columns_of(node.name))
    if isinstance(node, exp.Subquery):
        return Source(node.alias.lower(), _select(node.this, Scope(scope.columns_of)))
    raise TranslationError(f"{type(node).__name__} as a source")


def _join(node: exp.Join, scope: Scope) -> None:
    check_parts(node, "this", "side", "kind", "on", "using")
    source = _source(node.this, scope)
    is_half = node.kind in _HALVES
    if node.kind not in ("", "INNER", "OUTER", "CROSS", *_HALVES):
        raise TranslationError(f"{node.kind} join")
    using = [column.name for column in node.args.get("using") or []]
    for name in using:
        if name != name.lower() or scope.in_sources(name) is not source.kind_of(name):
            raise TranslationError(f"using ({name})")
    scope.sources.append(source)
    if on := node.args.get("on"):
        expressions.check_flag(on, scope)
    if is_half:
        scope.sources.pop()
    else:
        scope.merged = [*using, *(name for name in scope.merged if name not in using)]


def _projections(node: exp.Select, scope: Scope) -> Columns:
    spelled = [part for one in node.expressions for part in _without_stars(one, scope)]
    named = [
        part if isinstance(part, exp.Alias) else exp.alias_(part, name_of(part), quoted=True, copy=False)
        for part in spelled
    ]
    node.set("expressions", named)
    columns = []
    for part in named:
        name, value = part.alias.lower(), part.this
        scope.given[name] = kind(value, scope)
        columns.append(Output(part.alias, scope.given[name]))
        if not (isinstance(value, exp.Column) and value.name.lower() == name):
            scope.renamed.add(name)
    return columns


def _without_stars(node: exp.Expr, scope: Scope) -> list[exp.Expr]:
    """The columns that a star stands for, in Spark's order."""
    star = node.this if isinstance(node, exp.Column) else node
    if not isinstance(star, exp.Star):
        return [node]
    check_parts(star)
    table = node.table.lower() if isinstance(node, exp.Column) else ""
    if table and scope.merged:
        raise TranslationError(f"{node.sql()} beside using")
    sources = [source for source in scope.sources if not table or source.name == table]
    if not sources:
        raise TranslationError(f"{node.sql()} of no source")
    others = [
        exp.column(column.name, table=source.name or None, quoted=True)
        for source in sources
        for column in source.columns
        if column.name not in scope.merged
    ]
    return [*(exp.column(name, quoted=True) for name in scope.merged), *others]


def _after(node: exp.Select, scope: Scope) -> None:
    """What comes after the columns and may use their names."""
    _grouped(node, scope)
    if having := node.args.get("having"):
        scope.check_unmistakable(having)
        expressions.check_flag(having.this, scope)
    if order := node.args.get("order"):
        check_parts(order, "expressions")
        for part in order.expressions:
            _ordered(part, scope, is_distinct=bool(node.args.get("distinct")))
    for name in ("limit", "offset"):
        if part := node.args.get(name):
            check_parts(part, "expression")
            if not part.expression.is_int:
                raise TranslationError(part.sql())


def _grouped(node: exp.Select, scope: Scope) -> None:
    alone: list[exp.Expr] = []
    if group := node.args.get("group"):
        check_parts(group, "expressions", "all")
        for part in group.expressions:
            scope.check_unmistakable(part)
        alone = [*group.expressions, *(column.this for column in node.expressions if not column.find(exp.AggFunc))]
    if distinct := node.args.get("distinct"):
        check_parts(distinct)
        alone = [*alone, *(column.this for column in node.expressions)]
    if {kind(part, scope) for part in alone} & {Kind.FLOAT, Kind.DOUBLE}:  # a group of 0.0 and -0.0 is shown as either
        raise TranslationError("groups of floating-point numbers")


def _ordered(node: exp.Ordered, scope: Scope, *, is_distinct: bool) -> None:
    check_parts(node, "this", "desc", "nulls_first")
    column = node.this
    if isinstance(column, exp.Column) and not column.table and column.name.lower() in scope.given:
        return
    if is_distinct and not column.is_int:
        raise TranslationError("distinct rows in the order of what they do not show")
    scope.check_unmistakable(column)
    kind(column, scope)


@translates(exp.Subquery)
def _value(node: exp.Subquery, scope: Scope) -> Kind:
    check_parts(node, "this")
    columns = _select(node.this, Scope(scope.columns_of, outer=scope))
    if len(columns) != 1:
        raise TranslationError("a query of several columns as a value")
    return columns[0].kind


@translates(exp.Exists)
def _exists(node: exp.Exists, scope: Scope) -> Kind:
    check_parts(node, "this")
    _select(node.this, Scope(scope.columns_of, outer=scope))
    return Kind.FLAG
