"""What a JVM that Equipoise starts itself is told: its defaults, Delta, and on one machine a quiet log."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from equipoise.session.checks import delta_packages
from equipoise.session.defaults import DELTA, LOCAL
from equipoise.session.places import spark_home

LOGGING = Path(__file__).with_name("log4j2.properties")
JAVA_OPTIONS = "spark.driver.defaultJavaOptions"


def launch_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """Equipoise's defaults below the installation's spark-defaults.conf below `wanted`."""
    installed = installed_settings()
    given = {**installed, **wanted}
    settings = {**(LOCAL if is_local(given) else {}), **DELTA, **given}
    if is_local(given):
        settings.update(_quiet_log(settings))
    settings.update(_delta(settings, installed))
    return settings


def name_encoding() -> dict[str, str]:
    """What has the JVM write names of files in UTF-8, as Python does under any locale: else it cannot name all."""
    locale = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return {} if "utf8" in locale.lower().replace("-", "") else {"LC_ALL": "C.UTF-8"}


def installed_settings() -> dict[str, str]:
    """What the installation's spark-defaults.conf says."""
    return read_properties(_conf_folder() / "spark-defaults.conf")


def is_local(settings: Mapping[str, str]) -> bool:
    """Whether Spark runs on this machine alone, as it does where nobody says otherwise."""
    return settings.get("spark.master", "local").startswith("local")


def read_properties(path: Path) -> dict[str, str]:
    """The keys and values of a `spark-defaults.conf`; none where the file is not there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (re.split(r"\s*[=:]\s*|\s+", line.strip(), maxsplit=1) for line in lines)
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs if pair[0][:1] not in ("", "#", "!")}


def _conf_folder() -> Path:
    return Path(os.environ.get("SPARK_CONF_DIR") or spark_home() / "conf")


def _quiet_log(settings: Mapping[str, str]) -> dict[str, str]:
    """Our log4j settings, where the user has none by any of the ways that log4j knows."""
    options = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
    told = [settings.get(JAVA_OPTIONS, ""), settings.get("spark.driver.extraJavaOptions", "")]
    told += [os.environ.get(name, "") for name in options]
    has_own = "LOG4J_CONFIGURATION_FILE" in os.environ or any(_conf_folder().glob("log4j2*"))
    if has_own or "log4j" in " ".join(told):
        return {}
    ours = f"-Dlog4j2.configurationFile={shlex.quote(str(LOGGING))}"
    return {JAVA_OPTIONS: f"{told[0]} {ours}".strip()}


def _delta(settings: Mapping[str, str], installed: Mapping[str, str]) -> dict[str, str]:
    """What brings Delta: kept JARs on one machine; the installation's own; else packages from Maven."""
    from equipoise.session.jars import delta_jars  # imported by its user, for it runs as a program as well

    if os.environ.get("EQUIPOISE_JARS"):
        return _with_jars(settings, delta_jars(settings))
    if "delta" in settings.get("spark.jars", ""):
        return {}
    packages = settings.get("spark.jars.packages", "")
    if is_local(settings) and packages in ("", delta_packages([])):
        try:
            return _with_jars(settings, delta_jars(settings))
        except OSError:  # a machine on which nothing can be kept
            pass
    if "delta" in installed.get("spark.jars.packages", ""):
        return {}
    return {"spark.jars.packages": delta_packages([packages] if packages else [])}


def _with_jars(settings: Mapping[str, str], jars: list[str]) -> dict[str, str]:
    nothing_fetched = {"spark.jars.packages": ""} if "spark.jars.packages" in settings else {}
    return {**nothing_fetched, "spark.jars": ",".join([*filter(None, [settings.get("spark.jars")]), *jars])}
