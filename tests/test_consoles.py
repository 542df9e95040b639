"""What is printed for people."""

import io

from rich.color import ColorSystem
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.cli.progress import ConsoleProgress
from equipoise.consoles import plain_console, printable, widened


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


def test_what_a_terminal_would_obey_is_shown_not_done():
    label = "a\x1b[2J\x1b]0;owned\x07b\r\x9bc\n\td"
    assert printable(label) == "a\ufffd[2J\ufffd]0;owned\ufffdb\ufffd\ufffdc\n\td"
    for console in (plain_console(), widened(plain_console(), 200)):
        console.file = io.StringIO()
        table = Table("label")
        table.add_row(Text(label))
        console.print(table)
        console.print(label, markup=False)
        assert not set(console.file.getvalue()) & {"\x1b", "\x07", "\r", "\x9b"}
        assert "owned" in console.file.getvalue()


def test_colours_of_a_terminal_stay():
    console = plain_console()
    console.file, console._force_terminal, console._color_system = io.StringIO(), True, ColorSystem.STANDARD
    console.print(Text("a\x1bb", style="bold"))
    assert console.file.getvalue() == "\x1b[1ma\ufffdb\x1b[0m\n"
