"""Members of tar files, by uris that say where their bytes lie: one is read without the rest. Needs no Spark."""

import re
import tarfile
from typing import NamedTuple

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline.locating import locate

SCHEME = "tar"
ENCODING, BYTES = "utf-8", "surrogateescape"
"""How names in tar files are read: bytes that are no UTF-8 become surrogates."""
_URI = re.compile(rf"{SCHEME}:(\d+)\+(\d+):(.*?\.tar)!/(.*)", re.DOTALL | re.IGNORECASE)
_BETWEEN = "!/"
_LONGEST_PLAIN_NAME = 100  # bytes: a longer one stands before the member's own header


class Member(NamedTuple):
    """A file in a tar file: its bytes are ``n_bytes`` from ``offset`` on, right behind its header."""

    tar: str
    name: str
    offset: int
    n_bytes: int

    @property
    def uri(self) -> str:
        """``tar:OFFSET+SIZE:URI-OF-TAR!/MEMBER``: all that it takes to read it; nothing is encoded."""
        return f"{SCHEME}:{self.offset}+{self.n_bytes}:{self.tar}{_BETWEEN}{self.name}"

    @property
    def key(self) -> str:
        """The same without the place of its bytes, which another member before it moves."""
        return member_key(self.tar, self.name)


def member_key(tar: str, name: str) -> str:
    """``tar:URI-OF-TAR!/MEMBER``."""
    return f"{SCHEME}:{tar}{_BETWEEN}{name}"


def is_ambiguous(tar: str) -> bool:
    """Whether the uri of a tar file looks as if it named a member, so that those of its own could not be told."""
    return f".{SCHEME}{_BETWEEN}" in tar.lower()


def member_of(uri: str) -> Member:
    """The inverse of :attr:`Member.uri`.

    Raises:
        UnreadableItem: ``unreadable_file``: it is none.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise UnreadableItem("unreadable_file", f"{uri} is no tar:OFFSET+SIZE:TAR!/MEMBER")
    return Member(match[3], match[4], int(match[1]), int(match[2]))


def read_member(uri: str) -> bytes:
    """The bytes of a member and of its header, by one request.

    Raises:
        UnreadableItem: ``unreadable_file``: what lies there is not the member, since the tar file was written anew.
        OSError: the tar file is gone, or not allowed.
    """
    member = member_of(uri)
    filesystem, path = locate(member.tar)
    start = member.offset - tarfile.BLOCKSIZE
    with filesystem.open_input_file(path) as file:
        found = file.read_at(tarfile.BLOCKSIZE + member.n_bytes, start) if start >= 0 else b""
    content = bytes(memoryview(found)[tarfile.BLOCKSIZE :])
    if len(content) != member.n_bytes or not _is_header_of(found[: tarfile.BLOCKSIZE], member):
        raise UnreadableItem(
            "unreadable_file",
            f"the tar file was written anew since it was listed: {member.name} is not at byte {member.offset:,}",
        )
    return content


def _is_header_of(header: bytes, member: Member) -> bool:
    try:
        found = tarfile.TarInfo.frombuf(header, ENCODING, BYTES)
    except (tarfile.TarError, ValueError):
        return False
    is_plain = member.name.isascii() and len(member.name) < _LONGEST_PLAIN_NAME
    return found.size == member.n_bytes and (found.name == member.name or not is_plain)
