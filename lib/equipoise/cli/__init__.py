"""What the jobs and the ``equipoise`` command do, and their exit codes.

0: done. 2: the user's input or config (one message). 130: interrupted; 143: terminated. 1: anything else (the run id
and where the log is). 141: whoever read the output has gone.
"""

import argparse
import errno
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from equipoise.cli import commands
from equipoise.cli.arguments import parsed
from equipoise.consoles import printable
from equipoise.errors import EquipoiseError, check_working_directory

INTERRUPTED, TERMINATED = 130, 143
"""As a shell has it of what Ctrl-C ended, and what a scheduler did (SIGTERM)."""

UNREAD = 141
"""As a shell has it of what wrote to a pipe that nobody reads."""

FULL = "No space left on device"
"""As the system says it, and Java after it."""

STUDIES: dict[str, Callable[[argparse.Namespace], None]] = {
    "graph": commands.graph,
    "compare": commands.compare,
    "plan": commands.plan,
    "report": commands.report,
    "sql": commands.sql,
    "demo-data": commands.demo_data,
}


class _Terminated(KeyboardInterrupt):
    """SIGTERM came: it ends a command as Ctrl-C does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parsed(arguments)
    _log_to_stderr()
    try:
        code = _done(options)
        sys.stdout.flush()  # what is written last may find that nobody reads it
    except BrokenPipeError:
        code = UNREAD
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left in the buffer
    return code


def _done(options: argparse.Namespace) -> int:
    options.run_id = getattr(options, "run_id", None)
    try:
        with _terminable():
            check_working_directory()
            STUDIES.get(options.job, commands.stage)(options)
    except EquipoiseError as error:
        said = "; ".join([f"equipoise: {error}", *getattr(error, "__notes__", ())])
        sys.stderr.write(f"{printable(said)}\n")
        return 2
    except KeyboardInterrupt as signalled:
        return _stopped(signalled, options)
    except BrokenPipeError:
        raise
    except Exception as error:  # all else: the user gets one line, the whole story goes to a file
        # What tidies up after a signal may fail, as the JVM that had the same signal is gone.
        for one in _chain(error):
            if isinstance(one, KeyboardInterrupt):
                return _stopped(one, options)
        sys.stderr.write(f"equipoise: {options.run_id or options.job} failed; {_cause(error, options)}\n")
        return 1
    return 0


def _stopped(signalled: KeyboardInterrupt, options: argparse.Namespace) -> int:
    commands.silence_spark()
    what = f"go on with --run-id {options.run_id}" if options.run_id else "nothing more is done"
    is_terminated = isinstance(signalled, _Terminated)
    sys.stderr.write(f"equipoise: {'terminated' if is_terminated else 'interrupted'}; {what}\n")
    return TERMINATED if is_terminated else INTERRUPTED


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises, as Ctrl-C does: where handlers may be set, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def _cause(error: Exception, options: argparse.Namespace) -> str:
    """Where the log is; before that, what one can see in it."""
    again = f", then go on with --run-id {options.run_id}" if options.run_id else ""
    is_full = any(re.search(rf"{FULL}|Errno {errno.ENOSPC}\b", _said(one)) for one in _chain(error))
    full = f"the disk is full ({FULL}): make room, in the workspace and in Spark's and the system's temporary folders"
    try:
        log = f"the log is in {_log(options.job)}"
    except OSError as unwritten:
        log = f"no log could be written ({unwritten.strerror})"
    return f"{full}{again}; {log}" if is_full else log


def _said(error: BaseException) -> str:
    """Its text; errors of Java's ask the JVM for it, which may be gone."""
    try:
        return str(error)
    except Exception:  # whatever the connection raises
        return type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _log(job: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix=f"equipoise-{job}-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name
