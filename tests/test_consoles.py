"""What is printed for people."""

import io

from rich.console import Console

from equipoise.cli.progress import ConsoleProgress
from equipoise.consoles import plain_console, widened


def test_names_are_printed_as_they_are(capsys):
    plain_console().print("ingest:a: 3 in", "select:star:")
    with ConsoleProgress() as progress:
        progress.message("ingest:fire: [bold] listing the source")
    said = capsys.readouterr()
    assert said.out == "ingest:a: 3 in select:star:\n" and said.err == "ingest:fire: [bold] listing the source\n"


def test_off_a_terminal_a_line_is_as_long_as_it_is():
    target = io.StringIO()
    widened(Console(file=target, width=20), 300).print("x" * 250 + ":a:")
    assert target.getvalue() == "x" * 250 + ":a:\n"
    terminal = Console(force_terminal=True)
    assert widened(terminal, 300) is terminal
