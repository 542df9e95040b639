"""Where text for people goes: names stay as they are (``:a:`` is no emoji), and off a terminal nothing is folded."""

from rich.console import Console


def plain_console(*, stderr: bool = False, quiet: bool = False, soft_wrap: bool = False) -> Console:
    """A console of the process, on stdout or stderr."""
    return Console(stderr=stderr, quiet=quiet, soft_wrap=soft_wrap, highlight=False, emoji=False)


def widened(console: Console, width: int) -> Console:
    """The same console on a terminal; elsewhere one of ``width`` characters a line, for programs read it."""
    return console if console.is_terminal else Console(file=console.file, width=width, highlight=False, emoji=False)
