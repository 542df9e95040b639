"""What a JVM of ours is told: whose settings win, what brings Delta, whose log settings count."""

from pathlib import Path

import pytest

from equipoise.session import jars
from equipoise.session.checks import delta_packages
from equipoise.session.defaults import DELTA, LOCAL
from equipoise.session.launch import JAVA_OPTIONS, LOGGING, launch_settings, name_encoding, read_properties

LOCAL_CONF = Path(__file__).parents[2] / "conf" / "spark" / "local"
KEPT = ["/kept/delta-spark.jar", "/kept/delta-storage.jar"]


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Spark installation's configuration folder, empty, and no settings by the environment."""
    for name in ("EQUIPOISE_JARS", "LOG4J_CONFIGURATION_FILE", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def kept(installation: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and Delta's JARs are kept."""
    monkeypatch.setattr(jars, "delta_jars", lambda settings: KEPT)
    return installation


def test_properties_are_read_as_spark_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "spark-defaults.conf"
    path.write_text("# a note\n\n  spark.a   1 2 \nspark.b=3\nspark.c\tx=y\nspark.d\n")
    assert read_properties(path) == {"spark.a": "1 2", "spark.b": "3", "spark.c": "x=y", "spark.d": ""}
    assert read_properties(tmp_path / "absent") == {}


def test_spark_submit_and_python_get_the_same_session(kept: Path) -> None:
    told = read_properties(LOCAL_CONF / "spark-defaults.conf")
    assert told.pop("spark.jars.packages") == delta_packages([])
    settings = launch_settings({})
    assert settings.pop("spark.jars") == ",".join(KEPT)
    assert settings.pop(JAVA_OPTIONS).endswith(str(LOGGING))
    assert told == settings
    assert (LOCAL_CONF / "log4j2.properties").read_text() == LOGGING.read_text()


def test_our_own_properties_take_the_kept_jars_as_well(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(LOCAL_CONF))
    settings = launch_settings({})
    assert (settings["spark.jars"], settings["spark.jars.packages"]) == (",".join(KEPT), "")
    assert JAVA_OPTIONS not in settings


def test_the_users_keys_beat_the_installations_and_those_beat_ours(kept: Path) -> None:
    (kept / "spark-defaults.conf").write_text("spark.driver.memory 5g\nspark.sql.shuffle.partitions 7\n")
    settings = launch_settings({"spark.sql.shuffle.partitions": "9"})
    assert settings["spark.driver.memory"] == "5g"
    assert settings["spark.sql.shuffle.partitions"] == "9"
    assert settings["spark.master"] == LOCAL["spark.master"]


def test_a_cluster_gets_nothing_but_delta(kept: Path) -> None:
    (kept / "spark-defaults.conf").write_text("spark.master yarn\nspark.jars /opt/delta-spark.jar\n")
    assert launch_settings({}) == {"spark.master": "yarn", "spark.jars": "/opt/delta-spark.jar", **DELTA}


def test_a_cluster_gets_delta_from_maven(kept: Path) -> None:
    wanted = {"spark.master": "yarn"}
    assert launch_settings(wanted) == {**wanted, "spark.jars.packages": delta_packages([]), **DELTA}


def test_the_users_packages_stand_beside_delta(kept: Path) -> None:
    settings = launch_settings({"spark.jars.packages": "org.example:more:1.0"})
    assert settings["spark.jars.packages"] == f"{delta_packages([])},org.example:more:1.0"
    assert "spark.jars" not in settings


def test_the_users_own_delta_is_not_joined_by_another(kept: Path) -> None:
    (kept / "spark-defaults.conf").write_text("spark.jars.packages io.delta:delta-spark_2.13:3.2.0\n")
    settings = launch_settings({})
    assert settings["spark.jars.packages"] == "io.delta:delta-spark_2.13:3.2.0"
    assert "spark.jars" not in settings


def test_the_users_jars_stand_before_deltas(kept: Path) -> None:
    assert launch_settings({"spark.jars": "/mine.jar"})["spark.jars"] == ",".join(["/mine.jar", *KEPT])


def test_maven_serves_where_nothing_can_be_kept(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: object) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(jars, "delta_jars", refuse)
    assert launch_settings({})["spark.jars.packages"] == delta_packages([])


def test_the_users_java_options_stand_before_ours(kept: Path) -> None:
    assert launch_settings({JAVA_OPTIONS: "-Dx=y"})[JAVA_OPTIONS] == f"-Dx=y -Dlog4j2.configurationFile={LOGGING}"


@pytest.mark.parametrize("key", [JAVA_OPTIONS, "spark.driver.extraJavaOptions"])
def test_log_settings_among_the_users_java_options_stand(kept: Path, key: str) -> None:
    wanted = {key: "-Dlog4j2.configurationFile=/mine"}
    assert launch_settings(wanted).get(JAVA_OPTIONS) == wanted.get(JAVA_OPTIONS)


def test_log_settings_of_the_installation_stand(kept: Path) -> None:
    (kept / "log4j2.xml").touch()
    assert JAVA_OPTIONS not in launch_settings({})


@pytest.mark.parametrize("name", ["LOG4J_CONFIGURATION_FILE", "JAVA_TOOL_OPTIONS"])
def test_log_settings_of_the_environment_stand(kept: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "-Dlog4j.configurationFile=/mine")
    assert JAVA_OPTIONS not in launch_settings({})


@pytest.mark.parametrize(
    ("variables", "added"),
    [
        ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}),
        ({}, {"LC_ALL": "C.UTF-8"}),
        ({"LANG": "de_DE.ISO-8859-1"}, {"LC_ALL": "C.UTF-8"}),
        ({"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, {"LC_ALL": "C.UTF-8"}),
        ({"LC_ALL": "", "LANG": "en_GB.UTF-8"}, {}),
        ({"LC_CTYPE": "C.utf8", "LANG": "C"}, {}),
    ],
)
def test_names_of_files_are_utf_8_in_a_jvm_of_ours(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], added: dict[str, str]
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert name_encoding() == added
