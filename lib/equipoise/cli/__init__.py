"""What the jobs and the ``equipoise`` command do, and their exit codes.

0: done. 2: the user's input or config (one message). 130: interrupted. 1: anything else (the run id and where the log
is).
"""

import argparse
import logging
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from equipoise.cli import commands
from equipoise.cli.arguments import parsed
from equipoise.errors import EquipoiseError

INTERRUPTED = 130
"""As a shell has it of what Ctrl-C ended."""

STUDIES: dict[str, Callable[[argparse.Namespace], None]] = {
    "graph": commands.graph,
    "compare": commands.compare,
    "plan": commands.plan,
    "report": commands.report,
    "sql": commands.sql,
    "demo-data": commands.demo_data,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parsed(arguments)
    _log_to_stderr()
    options.run_id = getattr(options, "run_id", None)
    try:
        STUDIES.get(options.job, commands.stage)(options)
    except EquipoiseError as error:
        sys.stderr.write("; ".join([f"equipoise: {error}", *getattr(error, "__notes__", ())]) + "\n")
        return 2
    except KeyboardInterrupt:
        commands.silence_spark()
        what = f"go on with --run-id {options.run_id}" if options.run_id else "nothing more is done"
        sys.stderr.write(f"equipoise: interrupted; {what}\n")
        return INTERRUPTED
    except Exception:  # all else: the user gets one line, the whole story goes to a file
        sys.stderr.write(f"equipoise: {options.run_id or options.job} failed; the log is in {_log(options.job)}\n")
        return 1
    return 0


def run_job(job: str) -> None:
    """What ``jobs/JOB.py`` calls: the command of that name with the arguments of the process."""
    code = main([job, *sys.argv[1:]])
    if code:
        sys.exit(code)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    # Py4J logs with a stack what it raises beside, and by the root logger.
    handler.addFilter(lambda record: "py4j" not in Path(record.pathname).parts)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", handlers=[handler])


def _log(job: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix=f"equipoise-{job}-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name
