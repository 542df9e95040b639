"""What a stage's command can be asked about a run: it reads what a node of the stage would, and writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from equipoise.config import Config


@dataclass(frozen=True)
class Question:
    """An option of a stage's command, which answers in the place of the work.

    Attributes:
        flag: ``--WORD``.
        metavar: of its value.
        meaning: one line for ``--help``.
        example: of a value.
        value: what stands behind the flag -> what the answer takes; raises ConfigError.
        node: the name of the node that would read the same, by the config: what that one stands on must be finished.
            Raises ConfigError where the config's section leaves nothing to ask.
        answer: ``module:function``, (Context, value, Console) -> Sequence[str]: prints the answer; returns the
            overrides with which the stage's command would act on it.
    """

    flag: str
    metavar: str
    meaning: str
    example: str
    value: Callable[[str], Any]
    node: Callable[[Config], str]
    answer: str

    @property
    def key(self) -> str:
        """Of the value among a command's options."""
        return self.flag.removeprefix("--").replace("-", "_")
