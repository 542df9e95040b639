"""Addresses of pages, so that two spellings of one are equal, and their domains. Needs no Spark."""

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

_SCHEMES, _USUAL_PORTS = ("http", "https"), (None, 80, 443)
_DOMAIN = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*|[0-9a-f]*:[0-9a-f:.]+")
_IP = re.compile(r"[0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*")


def domain_of(url: str) -> str | None:
    """The host of an address, in lower case and ASCII; None where it is no address of a page."""
    parts = _parts(url)
    return None if parts is None else _plain(parts.hostname or "")


def page_of(url: str) -> str | None:
    """An address without what tells no pages apart: scheme, usual port, fragment, slashes at its end, case of the host.

    None where it is no address of a page.
    """
    parts = _parts(url)
    domain = None if parts is None else _plain(parts.hostname or "")
    if parts is None or domain is None:
        return None
    port = "" if parts.port in _USUAL_PORTS else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{domain}{port}{parts.path.rstrip('/')}{query}"


def with_parents(domain: str) -> Iterator[str]:
    """A domain and those above it: ``a.b.org``, ``b.org``, ``org``."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def domains_in(line: str) -> list[str]:
    """The domains of a line of a list: one, as it is, as ``*.example.org``, or as files of hosts have them.

    Raises:
        ValueError: it holds something else.
    """
    words = line.split()
    names = words[1:] if len(words) > 1 and _IP.fullmatch(words[0]) else words
    found = [_plain(name.removeprefix("*").strip(".").lower()) for name in names]
    domains = [name for name in found if name is not None]
    if len(domains) != len(names) or (len(names) > 1 and names is words):
        raise ValueError("is no domain: write one a line, without a path")
    return domains


def pages_in(line: str) -> list[str]:
    """The address of a line of a list, as :func:`page_of` has it.

    Raises:
        ValueError: it holds something else.
    """
    page = page_of(line)
    if page is None or " " in line:
        raise ValueError("is no address of a page: write one a line")
    return [page]


def _parts(url: str) -> SplitResult | None:
    """The parts of an address with or without ``http:``; None for those of other schemes, and what cannot be read."""
    scheme, has_scheme, rest = url.strip().partition("://")
    if has_scheme and scheme.lower() not in _SCHEMES:
        return None
    try:
        parts = urlsplit(f"http://{rest if has_scheme else scheme.removeprefix('//')}")
        parts.port  # noqa: B018 - it is looked at only where it is asked for
    except ValueError:
        return None
    return parts


def _plain(host: str) -> str | None:
    host = host.rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host.lower() if _DOMAIN.fullmatch(host.lower()) else None
