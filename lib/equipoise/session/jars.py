"""Delta's JARs in a folder beside the environment: Maven is asked once, not at every start.

`python -m equipoise.session.jars` prints them with commas between, as spark-submit's --jars takes them.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyspark
from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway

from equipoise.errors import SessionError
from equipoise.session.checks import delta_packages
from equipoise.session.java import local_java_home
from equipoise.session.places import environment, place_for, spark_home

# What Spark's own resolution of packages goes by: repositories, proxies, a cache of another place.
RESOLUTION = re.compile(r"spark\.jars\.|spark\.driver\.(default|extra)JavaOptions")


def delta_jars(settings: Mapping[str, str]) -> list[str]:
    """The JARs of Delta: those of the folder EQUIPOISE_JARS, else the kept ones, which the first to ask fetches.

    Args:
        settings: Spark's, which say where packages come from.

    Raises:
        SessionError: the folder holds no Delta, Maven does not answer, or there is no Java.
        OSError: there is no place to keep them.
    """
    named = os.environ.get("EQUIPOISE_JARS")
    if named:
        return _named_jars(Path(named))
    packages = delta_packages([])
    folder = place_for("equipoise-jars") / f"spark-{pyspark.__version__}-{re.sub('[^0-9A-Za-z._-]+', '-', packages)}"
    if not folder.is_dir():
        _keep(folder, packages, settings)
    return _jars_in(folder)


def _jars_in(folder: Path) -> list[str]:
    return sorted(str(path.resolve()) for path in folder.glob("*.jar"))


def _named_jars(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SessionError(f"EQUIPOISE_JARS={folder} is no folder; unset it to fetch Delta's JARs from Maven")
    jars = _jars_in(folder)
    missing = [part for part in ("delta-spark", "delta-storage") if not any(part in Path(jar).name for jar in jars)]
    if missing:
        raise SessionError(
            f"EQUIPOISE_JARS={folder} holds {len(jars)} JARs, none called {' nor '.join(missing)}*.jar; put "
            f"there what {delta_packages([])} consists of, or unset EQUIPOISE_JARS to fetch it from Maven"
        )
    return jars


def _keep(folder: Path, packages: str, settings: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Another process may do the same, or be killed half-way: the folder appears whole.
    draft = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        sys.stderr.write(f"fetching Delta's JARs, once: {packages}\n")
        for jar in without_sparks_own(resolve(packages, settings), spark_home() / "jars"):
            shutil.copy(jar, draft)
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def without_sparks_own(jars: list[Path], installed: Path) -> list[Path]:
    """Those of `jars`, named as Ivy does, whose artifact Spark lacks: of the others it loads its own version."""
    own = {_artifact(path.name) for path in installed.glob("*.jar")}
    return [jar for jar in jars if _artifact(jar.name.partition("_")[2]) not in own]


def _artifact(name: str) -> str:
    return re.split(r"-\d", name, maxsplit=1)[0]


def resolve(packages: str, settings: Mapping[str, str]) -> list[Path]:
    """The JARs of Maven's `packages` and of all that they need, as Spark resolves them, without its report.

    Raises:
        SessionError: there is one that cannot be had; names the file with the report.
    """
    conf = SparkConf(loadDefaults=False)
    for key, value in settings.items():
        if RESOLUTION.match(key):
            conf.set(key, value)
    conf.set("spark.jars.packages", packages).set("spark.master", "local")
    with tempfile.NamedTemporaryFile("w+", prefix="equipoise-jars-", suffix=".log", delete=False) as report:
        try:
            jars = _resolved(conf, report.fileno())
        except PySparkRuntimeError as error:
            report.seek(0)
            raise SessionError(
                f"cannot fetch {packages}: {_gist(report.read())}; all that was said is in {report.name}. "
                "Without a network, set EQUIPOISE_JARS to a folder with the JARs"
            ) from error
    Path(report.name).unlink()
    return jars


def _resolved(conf: SparkConf, output: int) -> list[Path]:
    # The user's own arguments may name packages that are not Delta's.
    with environment(PYSPARK_SUBMIT_ARGS="pyspark-shell", JAVA_HOME=str(local_java_home())):
        gateway = launch_gateway(conf, {"stdout": output, "stderr": output})  # type: ignore[no-untyped-call]
    jars = gateway.jvm.SparkConf().get("spark.jars")
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    return [Path(url2pathname(urlsplit(jar).path)) for jar in jars.split(",")]


def _gist(report: str) -> str:
    """The last line that is no part of a stack or a table."""
    lines = [line for line in report.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1] if lines else "Spark's JVM did not start"


if __name__ == "__main__":
    from equipoise.session.launch import installed_settings

    try:
        sys.stdout.write(f"{','.join(delta_jars(installed_settings()))}\n")
    except (SessionError, OSError) as error:
        sys.exit(str(error))
