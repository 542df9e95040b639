"""Where text for people goes: names stay as they are (``:a:`` is no emoji), and off a terminal nothing is folded."""

import re
from collections.abc import Iterable
from typing import NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with a sign in the place of what a terminal would obey: names and labels are data."""
    return _CONTROL.sub(_INSTEAD, text)


class _DataConsole(Console):
    """A console to which texts are data, and that leaves a pipe that nobody reads to who called."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> NoReturn:
        raise


def plain_console(*, stderr: bool = False, quiet: bool = False, soft_wrap: bool = False) -> Console:
    """A console of the process, on stdout or stderr."""
    return _DataConsole(stderr=stderr, quiet=quiet, soft_wrap=soft_wrap, highlight=False, emoji=False)


def widened(console: Console, width: int) -> Console:
    """The same console on a terminal; elsewhere one of ``width`` characters a line, for programs read it."""
    if console.is_terminal:
        return console
    return _DataConsole(file=console.file, width=width, highlight=False, emoji=False)
