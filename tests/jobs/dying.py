"""A command of Equipoise whose JVM is killed on the way.

    python dying.py WHERE NOTES COMMAND [ARGUMENT ...]

WHERE is LEVEL,RESAMPLING,ITERATION, or ``split``: in the middle of splitting clusters, or ``never``. NOTES is the file
that gets a line of JSON an iteration: level, resampling, iteration.
"""

import json
import sys
import threading
import time
from pathlib import Path

import psutil
from pyspark import SparkContext

from equipoise.cli import main
from equipoise.cli.progress import ConsoleProgress
from equipoise.kernels.levels import LevelState


def kill_the_jvm() -> None:
    """SIGKILL: it saves nothing, closes nothing."""
    (jvm,) = (process for process in psutil.Process().children(recursive=True) if process.name() == "java")
    jvm.kill()
    jvm.wait()


def kill_in_a_stage(n_tasks_at_least: int) -> None:
    """Kills once a stage of so many tasks has finished one of them and works on others."""
    tracker = SparkContext._active_spark_context.statusTracker()
    while True:
        for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
            if stage and stage.numTasks >= n_tasks_at_least and stage.numCompletedTasks and stage.numActiveTasks:
                return kill_the_jvm()
        time.sleep(0.001)


def run(where: str, notes: Path, arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    last = [int(number) for number in where.split(",")] if "," in where else None
    tell, told = ConsoleProgress.iteration, ConsoleProgress.message

    def iteration(self: ConsoleProgress, number: int, n_levels: int, state: LevelState) -> None:
        seen = [number, state.resampling, state.step.iteration]
        with notes.open("a") as lines:
            lines.write(json.dumps(seen) + "\n")
        if seen == last:
            kill_the_jvm()
        tell(self, number, n_levels, state)

    def message(self: ConsoleProgress, text: str) -> None:
        if where == "split" and "splitting" in text:
            threading.Thread(target=kill_in_a_stage, args=[5], daemon=True).start()
        told(self, text)

    ConsoleProgress.iteration, ConsoleProgress.message = iteration, message
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
