"""Arithmetic that the engines work out alike."""

from sqlglot import exp

from equipoise.studies.sql.expressions import common
from equipoise.studies.sql.kinds import NUMBERS, Kind, Scope, TranslationError, check_parts, kind, translates, wrap


@translates(exp.Add, exp.Sub, exp.Mul)
def _arithmetic(node: exp.Binary, scope: Scope) -> Kind:
    check_parts(node, "this", "expression")
    found = common([node.this, node.expression], scope)
    if found not in NUMBERS:
        raise TranslationError(f"{node.sql()} is no arithmetic of numbers")
    return found


@translates(exp.Div)
def _division(node: exp.Div, scope: Scope) -> Kind:
    kinds = {kind(node.this, scope), kind(node.expression, scope)}
    if not kinds <= NUMBERS or (Kind.DECIMAL in kinds and not kinds & {Kind.FLOAT, Kind.DOUBLE}):
        raise TranslationError(f"{node.sql()} may be a division of decimals")
    node.set("safe", False)
    for part in (node.this, node.expression):
        wrap(part, "DOUBLE")
    _guard(node)
    return Kind.DOUBLE


@translates(exp.Mod)
def _remainder(node: exp.Mod, scope: Scope) -> Kind:
    if _arithmetic(node, scope) is not Kind.WHOLE:
        raise TranslationError("remainder of other than whole numbers")
    _guard(node)
    return Kind.WHOLE


def _guard(node: exp.Binary) -> None:
    """By zero DuckDB divides; Spark, by its settings, refuses or makes a null: an error here lets it say."""
    divisor = node.expression
    is_zero = exp.EQ(this=divisor.copy(), expression=exp.Literal.number(0))
    refusal = exp.func("error", exp.Literal.string("division by zero"))
    node.set("expression", exp.Case(ifs=[exp.If(this=is_zero, true=refusal)], default=divisor))


@translates(exp.Neg, exp.Abs)
def _number(node: exp.Expr, scope: Scope) -> Kind:
    check_parts(node, "this")
    found = kind(node.this, scope)
    if found not in NUMBERS:
        raise TranslationError(f"{node.sql()} is of no number")
    return found
