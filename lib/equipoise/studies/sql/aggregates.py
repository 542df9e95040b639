"""Aggregates and window functions that the engines work out alike."""

from sqlglot import exp

from equipoise.studies.sql.expressions import check_flag
from equipoise.studies.sql.kinds import (
    NUMBERS,
    SCALARS,
    Kind,
    Scope,
    TranslationError,
    check_parts,
    kind,
    translates,
    wrap,
)

_OVER_ROWS = (exp.RowNumber, exp.Rank, exp.DenseRank)
_AGGREGATES = (exp.Avg, exp.Count, exp.CountIf, exp.Max, exp.Median, exp.Min, exp.Sum)
_IS_SUM = "is_sum_of_wholes"


@translates(exp.Count)
def _count(node: exp.Count, scope: Scope) -> Kind:
    check_parts(node, "this", "big_int")
    if not isinstance(node.this, exp.Star):
        _argument(node, scope)
    return Kind.WHOLE


@translates(exp.CountIf)
def _count_if(node: exp.CountIf, scope: Scope) -> Kind:
    check_parts(node, "this")
    check_flag(node.this, scope)
    return Kind.WHOLE


@translates(exp.Min, exp.Max)
def _extreme(node: exp.Expr, scope: Scope) -> Kind:
    check_parts(node, "this")
    found = _argument(node, scope)
    if found not in SCALARS:
        raise TranslationError(f"{node.sql()} of maps or arrays")
    return found


@translates(exp.Sum)
def _sum(node: exp.Sum, scope: Scope) -> Kind:
    check_parts(node, "this")
    found = _argument(node, scope)
    if found is Kind.WHOLE:
        node.meta[_IS_SUM] = True
        return Kind.WHOLE
    if found not in (Kind.FLOAT, Kind.DOUBLE):
        raise TranslationError(f"{node.sql()} of no number")
    return Kind.DOUBLE


@translates(exp.Avg)
def _average(node: exp.Avg, scope: Scope) -> Kind:
    check_parts(node, "this")
    if kind(node.this, scope) not in NUMBERS - {Kind.DECIMAL}:
        raise TranslationError(f"{node.sql()} of no number")
    wrap(node.this, "DOUBLE")  # as Spark adds whole numbers up here
    return Kind.DOUBLE


@translates(exp.Median)
def _median(node: exp.Median, scope: Scope) -> Kind:
    check_parts(node, "this")
    if kind(node.this, scope) is not Kind.WHOLE:  # of others the two round the middle in their own ways
        raise TranslationError(f"{node.sql()} of other than whole numbers")
    return Kind.DOUBLE


def _argument(node: exp.Expr, scope: Scope) -> Kind:
    argument = node.this
    if not isinstance(argument, exp.Distinct):
        return kind(argument, scope)
    check_parts(argument, "expressions")
    if len(argument.expressions) != 1:
        raise TranslationError(f"distinct of {len(argument.expressions)} columns in {node.sql()}")
    return kind(argument.expressions[0], scope)


@translates(exp.Filter)
def _filter(node: exp.Filter, scope: Scope) -> Kind:
    check_flag(node.expression.this, scope)
    return kind(node.this, scope)


@translates(*_OVER_ROWS)
def _place(node: exp.Expr, scope: Scope) -> Kind:
    check_parts(node)
    return Kind.WHOLE


@translates(exp.Window)
def _window(node: exp.Window, scope: Scope) -> Kind:
    check_parts(node, "this", "partition_by", "order", "over")
    if not isinstance(node.this, (*_OVER_ROWS, *_AGGREGATES)):
        raise TranslationError(f"{node.this.sql()} over a window")
    for part in node.args.get("partition_by") or []:
        kind(part, scope)
    order = node.args.get("order")
    for part in order.expressions if order else []:
        check_parts(part, "this", "desc", "nulls_first")
        kind(part.this, scope)
    return kind(node.this, scope)


def bound_sums(tree: exp.Expr) -> None:
    """DuckDB's sums of whole numbers have 128 bits: where Spark's overflow, so must they."""
    for node in list(tree.find_all(exp.Sum)):
        if node.meta.get(_IS_SUM):
            whole: exp.Expr = node
            while isinstance(whole.parent, exp.Filter | exp.Window) and whole.arg_key == "this":
                whole = whole.parent
            wrap(whole, "BIGINT")
