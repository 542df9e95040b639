"""What Spark calls a column that the query gives no name."""

from sqlglot import exp

from equipoise.studies.sql.kinds import TranslationError

_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Abs: "abs",
    exp.Avg: "avg",
    exp.CountIf: "count_if",
    exp.Max: "max",
    exp.Median: "median",
    exp.Min: "min",
    exp.Sum: "sum",
}
_SIGNS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.And: "AND",
    exp.Div: "/",
    exp.EQ: "=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Mod: "%",
    exp.Mul: "*",
    exp.Or: "OR",
    exp.Sub: "-",
}


def name_of(node: exp.Expr) -> str:
    """The name of an expression as Spark prints it.

    Raises:
        TranslationError: one whose name nobody has compared.
    """
    if isinstance(node, exp.Alias):
        return node.alias
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Paren | exp.Cast):
        return name_of(node.this)
    if isinstance(node, exp.Literal) and (node.is_string or node.is_int):
        return node.name
    if isinstance(node, exp.Neg):
        return f"-{node.name}" if isinstance(node.this, exp.Literal) else f"(- {name_of(node.this)})"
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        return f"{name_of(node.this)}[{name_of(node.expressions[0])}]"
    return _of_operation(node)


def _of_operation(node: exp.Expr) -> str:
    if type(node) in _SIGNS:
        return f"({name_of(node.this)} {_SIGNS[type(node)]} {name_of(node.expression)})"
    if isinstance(node, exp.Filter):
        return f"{name_of(node.this)} FILTER (WHERE {name_of(node.expression.this)})"
    if isinstance(node, exp.Count):
        return f"count({'1' if isinstance(node.this, exp.Star) else _argument(node.this)})"
    if type(node) in _FUNCTIONS:
        return f"{_FUNCTIONS[type(node)]}({_argument(node.this)})"
    raise TranslationError(f"{type(node).__name__} without a name")


def _argument(node: exp.Expr) -> str:
    if isinstance(node, exp.Distinct):
        return f"DISTINCT {', '.join(name_of(part) for part in node.expressions)}"
    return name_of(node)
