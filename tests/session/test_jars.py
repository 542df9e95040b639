"""The folder of Delta's JARs: named by the user, or fetched once and kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.errors import SessionError
from equipoise.session import jars
from equipoise.session.checks import delta_packages
from equipoise.session.launch import launch_settings

FETCHED = ("io.delta_delta-spark_4.2_2.13-4.4.0.jar", "io.delta_delta-storage-4.4.0.jar", "org.x_own-lib-2.0.jar")


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An environment that keeps nothing yet, a Spark that has a JAR of its own, and a Maven that notes requests."""
    asked: list[str] = []
    for folder in ("prefix", "spark/jars", "ivy"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "spark" / "jars" / "own-lib-1.9.3.jar").touch()

    def resolve(packages: str, settings: object) -> list[Path]:
        asked.append(packages)
        paths = [tmp_path / "ivy" / name for name in FETCHED]
        for path in paths:
            path.touch()
        return paths

    monkeypatch.delenv("EQUIPOISE_JARS", raising=False)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "spark"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(jars, "resolve", resolve)
    return asked


def test_maven_is_asked_once_and_the_user_told(maven: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    first = jars.delta_jars({})
    assert capsys.readouterr().err == f"fetching Delta's JARs, once: {delta_packages([])}\n"
    assert jars.delta_jars({}) == first
    assert capsys.readouterr().err == ""
    assert maven == [delta_packages([])]


def test_what_spark_has_itself_is_not_kept(maven: list[str], tmp_path: Path) -> None:
    kept = [Path(jar) for jar in jars.delta_jars({})]
    assert [jar.name for jar in kept] == list(FETCHED[:2])
    assert all(tmp_path / "prefix" in jar.parents for jar in kept)


def test_a_fetch_that_fails_leaves_nothing(maven: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = jars.resolve
    monkeypatch.setattr(jars, "resolve", lambda *_: [*resolve("", {}), tmp_path / "ivy" / "org.x_absent-1.0.jar"])
    with pytest.raises(FileNotFoundError):
        jars.delta_jars({})
    assert list((tmp_path / "prefix" / "equipoise-jars").iterdir()) == []
    monkeypatch.setattr(jars, "resolve", resolve)
    assert len(jars.delta_jars({})) == 2


def test_of_two_that_fetch_at_once_the_second_takes_the_firsts(
    maven: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = jars.resolve

    def slow(packages: str, settings: dict[str, str]) -> list[Path]:
        monkeypatch.setattr(jars, "resolve", resolve)
        jars.delta_jars(settings)
        return resolve(packages, settings)

    monkeypatch.setattr(jars, "resolve", slow)
    assert len(jars.delta_jars({})) == 2
    assert len(maven) == 2


def test_a_package_that_is_not_there_is_named_with_the_report_and_the_way_out(tmp_path: Path) -> None:
    nowhere = {"spark.jars.ivy": str(tmp_path), "spark.jars.ivySettings": str(tmp_path / "absent.xml")}
    with pytest.raises(SessionError, match=r"cannot fetch org\.x:absent:1: .*absent\.xml.*EQUIPOISE_JARS") as caught:
        jars.resolve("org.x:absent:1", nowhere)
    report = Path(str(caught.value).partition("all that was said is in ")[2].partition(".log")[0] + ".log")
    assert "absent.xml" in report.read_text()
    report.unlink()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EQUIPOISE_JARS", str(tmp_path))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("names", [[], ["delta-spark_4.2_2.13-4.4.0.jar"], ["other.jar"]])
def test_a_folder_of_jars_without_delta_is_refused(named: Path, names: list[str]) -> None:
    for name in names:
        (named / name).touch()
    with pytest.raises(SessionError, match=rf"EQUIPOISE_JARS=.* holds {len(names)} JARs.*delta-storage.*unset"):
        launch_settings({})


def test_a_folder_of_jars_that_is_not_there_is_refused(named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIPOISE_JARS", str(named / "absent"))
    with pytest.raises(SessionError, match=r"EQUIPOISE_JARS=.*absent is no folder"):
        launch_settings({})


def test_a_folder_of_jars_replaces_maven(named: Path) -> None:
    for name in FETCHED[:2]:
        (named / name).touch()
    settings = launch_settings({"spark.jars": "/mine.jar"})
    assert "spark.jars.packages" not in settings
    assert settings["spark.jars"].split(",")[0] == "/mine.jar"
    assert len(settings["spark.jars"].split(",")) == 3


def test_the_module_prints_the_jars_for_spark_submit(named: Path) -> None:
    for name in FETCHED[:2]:
        (named / name).touch()
    command = [sys.executable, "-m", "equipoise.session.jars"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ",".join(str(named / name) for name in FETCHED[:2])
    assert answer.stderr == ""
