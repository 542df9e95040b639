"""What the user sees while a job works: a live line on a terminal, plain lines elsewhere."""

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.status import Status

from equipoise.consoles import plain_console

if TYPE_CHECKING:  # scipy comes with it
    from equipoise.kernels.levels import LevelState

SECONDS_BETWEEN_LINES = 5.0


class ConsoleProgress:
    """Writes to stderr: messages as lines that stay, counts and iterations as one live line.

    Where stderr is no terminal the live line becomes a plain one, at most every five seconds and at a level's end.
    """

    def __init__(self, *, is_quiet: bool = False, console: Console | None = None) -> None:
        """``is_quiet`` drops everything but errors."""
        self.console = console or plain_console(stderr=True, quiet=is_quiet, soft_wrap=True)
        self._status: Status | None = None
        self._last_line = self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._status = self.console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status:
            self._status.stop()

    def message(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, markup=False)

    def count(self, stage: str, done: int, total: int) -> None:
        """So many items of a stage are done."""
        self._live(f"{stage}: {done:,} of {total:,} items", is_end=done >= total)

    def iteration(self, number: int, n_levels: int, state: "LevelState") -> None:
        """One k-means iteration of a level is done."""
        step = state.step
        resampling = f", resampling {state.resampling}" if state.resampling else ""
        text = (
            f"cluster: level {number} of {n_levels}{resampling}, iteration {step.iteration}, "
            f"objective {step.objective:.6g}, {step.n_empty} empty, "
            f"{time.monotonic() - self._began:.1f} s since the start"
        )
        self._live(text, is_end=step.is_last and state.resampling == 0)

    def _live(self, text: str, *, is_end: bool) -> None:
        now = time.monotonic()
        if self._status:
            self._status.update(text)
        elif is_end or now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            self.message(text)
