"""What a command says, and with which code, when it is not the config: the disk, the directory, a run id, names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs import written
from equipoise.cli import _Terminated, commands, main
from equipoise.errors import InputError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def ending(tmp_path, capsys, monkeypatch):
    """Runs a job that ends with an error; returns its exit code and what it says."""

    def ending(error: Exception, cause: Exception | None = None) -> tuple[int, str]:
        def fail(options):
            options.run_id = "r"
            raise error from cause

        monkeypatch.setattr(commands, "stage", fail)
        code = main(["curate", "--config", str(written(tmp_path))])
        return code, capsys.readouterr().err

    return ending


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(28, "No space left on device", "/data"), None),
        (RuntimeError("[TASK_WRITE_FAILED] ... java.io.IOException: No space left on device"), None),
        (RuntimeError("a job was aborted"), RuntimeError("Caused by: java.io.IOException: No space left on device")),
    ],
)
def test_a_full_disk_says_so(ending, error, cause):
    code, said = ending(error, cause)
    assert code == 1 and said.startswith("equipoise: r failed; the disk is full (No space left on device): make room")
    assert "then go on with --run-id r; the log is in " in said and said.count("\n") == 1


def test_a_log_that_cannot_be_written_is_no_second_failure(ending, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    code, said = ending(RuntimeError("anything"))
    assert (code, said) == (1, "equipoise: r failed; no log could be written (No space left on device)\n")


class JavaError(Exception):
    """As Py4J's, which ask the JVM for their text."""

    def __str__(self) -> str:
        raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("signalled", "code", "told"), [(KeyboardInterrupt, 130, "interrupted"), (_Terminated, 143, "terminated")]
)
def test_where_tidying_up_after_a_signal_fails_it_is_the_signal_that_is_told(ending, signalled, code, told):
    error = JavaError()
    error.__context__ = signalled()
    assert ending(error) == (code, f"equipoise: {told}; go on with --run-id r\n")


def test_an_error_that_has_no_text_any_more_is_told_like_all(ending):
    code, said = ending(JavaError())
    assert code == 1 and said.startswith("equipoise: r failed; the log is in ")


def test_what_else_goes_wrong_names_the_log_alone(ending):
    code, said = ending(RuntimeError("Errno 2"))
    assert code == 1 and said.startswith("equipoise: r failed; the log is in ")


def test_control_characters_in_a_message_do_not_reach_the_terminal(ending):
    assert ending(InputError("label \x1b[2J of \x07")) == (2, "equipoise: label \ufffd[2J of \ufffd\n")


def test_a_working_directory_that_is_gone_is_told_as_such(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    config = written(tmp_path)
    program = f"from equipoise.cli import main; raise SystemExit(main(['curate', '--config', {str(config)!r}]))"
    shell = f'cd {gone} && rmdir {gone} && exec {sys.executable} -c "$PROGRAM"'
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "PROGRAM": program}
    done = subprocess.run(["/bin/sh", "-c", shell], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "equipoise: the directory that this was started in is gone: change to one that is there\n" in done.stderr
    assert "Java" not in done.stderr


@pytest.mark.parametrize("run_id", ["", ".", "..", "a b", "a/b", "../x", "a\x00b", "x" * 201, "é" * 101])
@pytest.mark.parametrize("job", ["curate", "graph", "report", "compare"])
def test_a_run_id_that_is_none_is_refused(tmp_path, capsys, run_id, job):
    code = main([job, "--config", str(written(tmp_path, compare={"target": 5})), f"--run-id={run_id}"])
    said = capsys.readouterr().err
    assert code == 2 and said.startswith("equipoise: --run-id ") and said.endswith("choose another\n")


def test_the_longest_name_of_a_config_makes_a_run_id(tmp_path):
    from equipoise.stages.configuration import load_config
    from equipoise.stages.running import new_run_id

    config = load_config(written(tmp_path, name="é" * 80))
    assert commands._checked_run_id(new_run_id(config))


@pytest.mark.parametrize(
    "out, said", [("~/x", "is not in your home for Spark"), ("a:b", "reads as a place of another")]
)
def test_a_folder_of_reports_that_is_no_place_is_refused_without_spark(capsys, monkeypatch, out, said):
    monkeypatch.setattr(commands, "_session", lambda *arguments: pytest.fail("Spark was asked for"))
    assert main(["report", "--workspace", "w", "--run-id", "r", "--out", out]) == 2
    assert capsys.readouterr().err.startswith(f"equipoise: --out {out!r} {said}")
