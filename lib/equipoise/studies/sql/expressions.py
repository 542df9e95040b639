"""Expressions of Spark's SQL that DuckDB works out alike, some after a change.

A function takes a node and the scope around it, brings the node to what DuckDB means by it, and returns its kind. A
node that has no function has not been compared: Spark answers.
"""

from collections.abc import Sequence

from sqlglot import exp

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

_LARGEST = 2**63 - 1
_DIGITS = 15
"""A decimal of more may not become the nearest double."""


def check_flag(node: exp.Expr, scope: Scope) -> Kind:
    """DuckDB takes numbers for conditions, too, where Spark refuses.

    Raises:
        TranslationError: the expression is no condition.
    """
    if kind(node, scope) is not Kind.FLAG:
        raise TranslationError(f"{node.sql()} is no condition")
    return Kind.FLAG


def common(nodes: Sequence[exp.Expr], scope: Scope) -> Kind:
    """The one kind of all, after casts to double where Spark has them.

    Raises:
        TranslationError: the engines may bring them together in different ways.
    """
    kinds = [kind(node, scope) for node in nodes]
    found = set(kinds) - {Kind.NULL}
    if len(found) < 2 and Kind.DECIMAL not in found:
        return found.pop() if found else Kind.NULL
    # Of float and whole number Spark makes a float or a double, by its version and settings.
    if not found <= NUMBERS or not (Kind.DOUBLE in found or found == {Kind.FLOAT, Kind.DECIMAL}):
        raise TranslationError(f"values of the kinds {', '.join(sorted(one.name.lower() for one in found))}")
    for node, one in zip(nodes, kinds, strict=True):
        if one not in (Kind.DOUBLE, Kind.NULL):
            wrap(node, "DOUBLE")
    return Kind.DOUBLE


def compared(nodes: Sequence[exp.Expr], scope: Scope) -> Kind:
    """A flag, after the values were brought to one kind.

    Raises:
        TranslationError: the engines may compare them in different ways.
    """
    kinds = {kind(node, scope) for node in nodes}
    if Kind.TIME in kinds and all(kind(node, scope) is Kind.TIME or node.is_string for node in nodes):
        return Kind.FLAG
    if common(nodes, scope) not in SCALARS:
        raise TranslationError("comparison of maps or arrays")
    return Kind.FLAG


@translates(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ)
def _comparison(node: exp.Binary, scope: Scope) -> Kind:
    check_parts(node, "this", "expression")
    return compared([node.this, node.expression], scope)


@translates(exp.And, exp.Or, exp.Not)
def _logic(node: exp.Expr, scope: Scope) -> Kind:
    check_parts(node, "this", "expression")
    for part in list(node.iter_expressions()):
        if not isinstance(part, exp.Null):
            check_flag(part, scope)
    return Kind.FLAG


@translates(exp.Is)
def _is(node: exp.Is, scope: Scope) -> Kind:
    check_parts(node, "this", "expression")
    kind(node.this, scope)
    if not isinstance(node.expression, exp.Null):
        raise TranslationError(node.sql())
    return Kind.FLAG


@translates(exp.Like)
def _like(node: exp.Like, scope: Scope) -> Kind:
    check_parts(node, "this", "expression", "negate")
    if kind(node.this, scope) is not Kind.TEXT or not node.expression.is_string:
        raise TranslationError("like of other than a text and a written pattern")
    return Kind.FLAG


@translates(exp.In)
def _in(node: exp.In, scope: Scope) -> Kind:
    check_parts(node, "this", "expressions", "query")
    query = node.args.get("query")
    if query is None:
        return compared([node.this, *node.expressions], scope)
    if kind(node.this, scope) is not kind(query, scope):  # a cast around a query would take one row of it
        raise TranslationError("in of a query with another kind of values")
    return compared([node.this], scope)


@translates(exp.Between)
def _between(node: exp.Between, scope: Scope) -> Kind:
    check_parts(node, "this", "low", "high")
    return compared([node.this, node.args["low"], node.args["high"]], scope)


@translates(exp.Case)
def _case(node: exp.Case, scope: Scope) -> Kind:
    check_parts(node, "this", "ifs", "default")
    conditions = [branch.this for branch in node.args["ifs"]]
    if node.this:
        compared([node.this, *conditions], scope)
    else:
        for condition in conditions:
            check_flag(condition, scope)
    default = [node.args["default"]] if node.args.get("default") else []
    return common([*(branch.args["true"] for branch in node.args["ifs"]), *default], scope)


@translates(exp.If)
def _if(node: exp.If, scope: Scope) -> Kind:
    check_parts(node, "this", "true", "false")
    check_flag(node.this, scope)
    if not node.args.get("false"):
        raise TranslationError("if without an else")
    return common([node.args["true"], node.args["false"]], scope)


@translates(exp.Coalesce)
def _coalesce(node: exp.Coalesce, scope: Scope) -> Kind:
    check_parts(node, "this", "expressions")
    return common([node.this, *node.expressions], scope)


_CASTS = {
    (Kind.WHOLE, exp.DType.DOUBLE): Kind.DOUBLE,
    (Kind.WHOLE, exp.DType.BIGINT): Kind.WHOLE,
    (Kind.WHOLE, exp.DType.TEXT): Kind.TEXT,
    (Kind.FLOAT, exp.DType.DOUBLE): Kind.DOUBLE,
    (Kind.DOUBLE, exp.DType.DOUBLE): Kind.DOUBLE,
    (Kind.TEXT, exp.DType.TEXT): Kind.TEXT,
}
"""Those that cannot fail and that the engines round and write alike."""


@translates(exp.Cast, exp.TryCast)
def _cast(node: exp.Cast, scope: Scope) -> Kind:
    check_parts(node, "this", "to")
    found = _CASTS.get((kind(node.this, scope), node.to.this))
    if found is None:
        raise TranslationError(f"the cast {node.sql()}")
    return found


@translates(exp.Bracket)
def _element(node: exp.Bracket, scope: Scope) -> Kind:
    found, keys = kind(node.this, scope), node.expressions
    if found not in (Kind.TEXTS, Kind.WHOLES) or len(keys) != 1 or not keys[0].is_string:
        raise TranslationError("brackets after other than a map, or with other than a written key")
    return Kind.TEXT if found is Kind.TEXTS else Kind.WHOLE


@translates(exp.Literal)
def _literal(node: exp.Literal, scope: Scope) -> Kind:
    if node.is_string:
        return Kind.TEXT
    if "e" in node.name.lower():
        return Kind.DOUBLE
    if len(node.name) > _DIGITS and (not node.is_int or int(node.name) > _LARGEST):
        raise TranslationError(f"the number {node.name}")
    return Kind.WHOLE if node.is_int else Kind.DECIMAL


@translates(exp.Boolean)
def _boolean(node: exp.Boolean, scope: Scope) -> Kind:
    return Kind.FLAG


@translates(exp.Null)
def _null(node: exp.Null, scope: Scope) -> Kind:
    return Kind.NULL


@translates(exp.Column)
def _column(node: exp.Column, scope: Scope) -> Kind:
    check_parts(node, "this", "table")
    return scope.kind_of(node)


@translates(exp.Paren)
def _paren(node: exp.Paren, scope: Scope) -> Kind:
    return kind(node.this, scope)
