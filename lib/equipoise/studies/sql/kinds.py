"""What a translated query is made of: kinds of values, the scope of a name, and who translates which node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

from sqlglot import exp


class TranslationError(Exception):
    """DuckDB cannot answer the query, or might answer otherwise than Spark: Spark has to."""


class Kind(Enum):
    """Types, as far as the two dialects treat them differently."""

    WHOLE = auto()
    FLOAT = auto()
    DOUBLE = auto()
    DECIMAL = auto()
    """Numbers written with a point, which is all that there is of it."""
    TEXT = auto()
    FLAG = auto()
    TIME = auto()
    NULL = auto()
    TEXTS = auto()
    """A map of text to text."""
    WHOLES = auto()
    """A map of text to whole numbers."""
    OTHER = auto()


NUMBERS = {Kind.WHOLE, Kind.FLOAT, Kind.DOUBLE, Kind.DECIMAL}
SCALARS = {*NUMBERS, Kind.TEXT, Kind.FLAG, Kind.TIME, Kind.NULL}


class Output(NamedTuple):
    """A column of a table, a view or a query, spelled as Spark prints it."""

    name: str
    kind: Kind


Columns = Sequence[Output]
ColumnsOf = Callable[[str], Columns]


@dataclass
class Source:
    """What a name before a point stands for in a query."""

    name: str
    columns: Columns
    is_hidden: bool = False
    """The right side of a semi or anti join: the condition alone may use it."""

    def kind_of(self, name: str) -> Kind | None:
        """The kind of the column of that name in any case; None where there is none."""
        found = [column.kind for column in self.columns if column.name.lower() == name]
        return found[0] if len(found) == 1 else None


@dataclass
class Scope:
    """The sources of one select, the names that it gives, and the select around it."""

    columns_of: ColumnsOf
    """The columns of the view of a name as the query spells it."""
    outer: "Scope | None" = None
    sources: list[Source] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    """The columns of ``using``, in the order in which Spark's star has them."""
    given: dict[str, Kind] = field(default_factory=dict)
    """The names that the select gives its columns, once they are known."""
    renamed: set[str] = field(default_factory=set)
    """Those of them that stand for another thing than a column of that name."""

    def in_sources(self, name: str, table: str = "") -> Kind | None:
        """The kind of a column of the sources.

        Raises:
            TranslationError: sources that differ in it.
        """
        sources = [source for source in self.sources if not table or source.name == table]
        found = {kind for source in sources if (kind := source.kind_of(name)) is not None}
        if len(found) > 1:
            raise TranslationError(f"column {name} is of several types")
        return found.pop() if found else None

    def kind_of(self, column: exp.Column) -> Kind:
        """The kind of a column: of the sources, else of the names given so far, else of the select around it.

        Raises:
            TranslationError: there is no such column.
        """
        name, table = column.name.lower(), column.table.lower()
        kind = self.in_sources(name, table)
        if kind is None and not table:
            kind = self.given.get(name)
        if kind is not None:
            return kind
        if self.outer is None:
            raise TranslationError(f"column {name} is not known")
        return self.outer.kind_of(column)

    def check_unmistakable(self, node: exp.Expr) -> None:
        """The engines differ in whether a name after the sources is the source's column or the select's.

        Raises:
            TranslationError: such a name.
        """
        for column in node.find_all(exp.Column):
            name = column.name.lower()
            if not column.table and name in self.renamed and self.in_sources(name) is not None:
                raise TranslationError(f"{name} may be a column or what the query calls so")


def check_parts(node: exp.Expr, *known: str) -> None:
    """What the parser found beyond these parts is of a form that nobody has compared.

    Raises:
        TranslationError: further parts.
    """
    strange = sorted(name for name, value in node.args.items() if value and name not in known)
    if strange:
        raise TranslationError(f"{type(node).__name__} with {', '.join(strange)}")


Translation = Callable[[Any, Scope], Kind]
_TRANSLATIONS: dict[type[exp.Expr], Translation] = {}
_KIND = "kind"


def translates(*types: type[exp.Expr]) -> Callable[[Translation], Translation]:
    """Registers the function that translates nodes of these types."""

    def register(translation: Translation) -> Translation:
        _TRANSLATIONS.update(dict.fromkeys(types, translation))
        return translation

    return register


def kind(node: exp.Expr, scope: Scope) -> Kind:
    """The kind of an expression, which is changed in place, once, where DuckDB needs it otherwise.

    Raises:
        TranslationError: it is, or holds, what has not been compared.
    """
    if _KIND not in node.meta:
        translation = _TRANSLATIONS.get(type(node))
        if translation is None:
            raise TranslationError(node.sql_name() if isinstance(node, exp.Func) else type(node).__name__)
        node.meta[_KIND] = translation(node, scope)
    found: Kind = node.meta[_KIND]
    return found


def wrap(node: exp.Expr, kind: str) -> None:
    """Puts a cast around a node, which stays the node that others know."""
    cast = exp.Cast(this=exp.Null(), to=exp.DataType.build(kind))
    node.replace(cast)
    cast.set("this", node)
