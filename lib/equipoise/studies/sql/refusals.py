"""What a query is refused for, whichever engine it is put to."""

from collections.abc import Iterable
from itertools import pairwise

from sqlglot import TokenType, tokenize
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from equipoise.errors import InputError

READING = ("select", "with", "from", "values", "table", "describe", "desc", "show", "explain")


def refusal(sql: str, reason: str, views: Iterable[str]) -> InputError:
    """The error of a query that cannot be answered."""
    return InputError(f"query {sql!r} cannot be run: {reason} Views here: {', '.join(views)}")


def check_reads(sql: str) -> None:
    """Tables are written by stages alone.

    Raises:
        InputError: the query does more than read.
    """
    try:
        words = [token for token in tokenize(sql, "spark") if token.token_type is not TokenType.L_PAREN]
    except SqlglotError:
        return  # Spark says what is wrong with it
    if words and (words[0].text.lower() not in READING or any(_is_insert(*pair) for pair in pairwise(words))):
        raise InputError(f"query {sql!r} is none that only reads: begin it with {', '.join(READING)}")


def _is_insert(first: Token, second: Token) -> bool:
    return first.text.lower() == "insert" and second.text.lower() in ("into", "overwrite")
