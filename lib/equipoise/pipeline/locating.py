"""What a path means: which file system it names, and whether that is surely this machine's. Needs no Spark."""

import os
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pyarrow import fs

from equipoise.errors import ConfigError

CATALOG_NAME = re.compile(r"\w+\.\w+")
"""catalog.schema, in the place of a folder."""
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):")
_TABLE_NAME = re.compile(r"\w[\w\-]*(\.\w[\w\-]*){1,2}")
_ALIASES = {"s3a": "s3", "s3n": "s3"}
_READ_ONLY = ("http", "https", "har", "jar")
_WITH_BUCKETS = ("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs")
_ELSEWHERE = ("SPARK_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "DATABRICKS_RUNTIME_VERSION")


def is_local_alone() -> bool:
    """Whether a path without a scheme is one of this machine: an installed Spark or Hadoop may have another default."""
    return not any(os.environ.get(name) for name in _ELSEWHERE)


def local_path(path: str) -> Path | None:
    """The path on this machine, where it is surely one: ``file:``, or no scheme and no other file system set up."""
    match = _SCHEME.match(path)
    if match:
        return Path("/" + path[match.end() :].lstrip("/")) if match[1].lower() == "file" else None
    return Path(path) if is_local_alone() else None


def in_one_spelling(path: str) -> str:
    """A path so that two spellings of one place are equal: relative, with ``file:``, or with slashes at the end.

    Links are not followed. A name as of a catalog's table stays, unless something of that name is there; so does a
    relative path that may be another file system's.
    """
    match = _SCHEME.match(path)
    scheme, rest = (match[1].lower(), path[match.end() :]) if match else ("", path)
    if scheme not in ("", "file", "dbfs"):
        return f"{_ALIASES.get(scheme, scheme)}:{rest.rstrip('/')}"
    if scheme or path.startswith("/"):
        return os.path.normpath("/" + rest.lstrip("/"))
    is_elsewhere = _TABLE_NAME.fullmatch(path) is not None or not is_local_alone()
    return path.rstrip("/") if is_elsewhere and not Path(path).exists() else os.path.abspath(path)


def check_workspace(place: str | os.PathLike[str]) -> str:
    """Checks that a place is ``catalog.schema`` or can be a folder at all, by its name alone; returns that.

    Raises:
        ConfigError: it is neither.
    """
    name = os.fspath(place) if isinstance(place, os.PathLike) else place
    problem = workspace_problem(name) if isinstance(name, str) else "is no text: write a folder, or catalog.schema"
    if problem:
        raise ConfigError(f"workspace {name!r} {problem}")
    return name


def workspace_problem(place: str) -> str | None:
    """Why a place can be no workspace, by its name; None where it can."""
    if not place.strip():
        return "names nothing: write a folder, or catalog.schema"
    if problem := folder_problem(place):
        return problem
    scheme = _SCHEME.match(place)
    scheme_name, rest = (scheme[1].lower(), place[scheme.end() :]) if scheme else ("file", place)
    # The root of a bucket, or of another host, is a place of its own.
    has_host = rest.startswith("//") and scheme_name != "file"
    if (not has_host and not os.path.normpath(rest).strip("/")) or not rest.strip("/"):
        return "is the root, and tables need a folder: name one below it"
    is_bare = not scheme and "/" not in place and not place.startswith(".")
    if is_bare and "." in place and not CATALOG_NAME.fullmatch(place):
        return (
            "is neither catalog.schema, two names of letters, digits and '_', nor surely a folder: "
            f"write ./{place} for a folder of that name"
        )
    return None


def folder_problem(place: str) -> str | None:
    """Why files cannot be written to a place, by its name; None where they can."""
    scheme = _SCHEME.match(place)
    rest = place[scheme.end() :] if scheme else place
    scheme_name = scheme[1].lower() if scheme else ""
    if not place.isprintable():
        return "holds characters that cannot be printed: take another name"
    if place.startswith("~"):
        return f"is not in your home for Spark, which does not know {place.partition('/')[0]}: write the folder in full"
    if ":" in place.partition("/")[0] and not (scheme and rest.startswith("/")):
        known = f"write {scheme[0]}/... from the root, or " if scheme else ""
        return f"reads as a place of another file system: {known}write ./{place} for a folder of that name"
    if scheme_name in _READ_ONLY:
        return f"cannot be written to: {scheme_name}:// is for reading; name a folder, or a place of a file system"
    if scheme_name in _WITH_BUCKETS and not re.match(r"//[^/]", rest):
        return f"names no bucket or container: write {scheme_name}://NAME/folder"
    return None


def check_writable(path: str, key: str) -> None:
    """Checks that files can be made below a folder that is surely local, or below what is there of it.

    Raises:
        ConfigError: they cannot.
    """
    local = local_path(path)
    if local is None or (CATALOG_NAME.fullmatch(path) and not local.exists()):
        return
    there = next(one for one in (local.absolute(), *local.absolute().parents) if one.exists())
    if not there.is_dir():
        raise ConfigError(f"{key} {path}: {there} is a file, and tables need a folder: name another")
    if not os.access(there, os.W_OK | os.X_OK) or not _takes_files(there):
        raise ConfigError(f"{key} {path}: nothing can be written to {there}: change its permissions, or name another")


def _takes_files(folder: Path) -> bool:
    """Whether it does: of the superuser and of read-only file systems permissions tell nothing."""
    try:
        with TemporaryDirectory(dir=folder, prefix=".equipoise-"):
            return True
    except OSError:
        return False


def missing(path: str, key: str) -> str:
    """The message for a path that is not there."""
    place = "" if ":" in path or path.startswith("/") else f" (from here: {Path(path).absolute()})"
    literal = "" if not set(path) & set("*?[{") else "; a path is taken as it is, as no pattern: name the folder above"
    return f"{key} {path} does not exist{place}; check its spelling and the directory that you start from{literal}"


def locate(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a uri and the path in it. Nothing in the uri is decoded: names are as they are.

    Known: ``file:``, ``s3:`` (``s3a:``, ``s3n:``), ``gs:``, ``hdfs:``, ``abfs(s):``, plain paths,
    and Databricks' ``dbfs:`` through its FUSE mount.

    Raises:
        OSError, ValueError: the scheme is unknown or its file system does not answer.
    """
    match = _SCHEME.match(uri)
    scheme = match.group(1).lower() if match else ""
    rest = uri[match.end() :] if match else os.path.abspath(uri)
    absolute = "/" + rest.lstrip("/")
    if scheme in ("", "file"):
        return fs.LocalFileSystem(), absolute
    if scheme == "dbfs":
        return fs.LocalFileSystem(), absolute if absolute.startswith("/Volumes/") else "/dbfs" + absolute
    authority, _, path = (rest[2:] if rest.startswith("//") else rest).partition("/")
    filesystem, root = _remote(_ALIASES.get(scheme, scheme), authority)
    return filesystem, f"{root.rstrip('/')}/{path}"


@cache
def _remote(scheme: str, authority: str) -> tuple[fs.FileSystem, str]:
    return fs.FileSystem.from_uri(f"{scheme}://{authority or 'default'}/")
