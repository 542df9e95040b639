"""Tar files as tests want them: of any names, whole and odd."""

import io
import tarfile


def added(tar, name, content):
    """Adds a file to an open tar file."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def tarred(path, contents, *, form=tarfile.GNU_FORMAT):
    """Writes a tar file of these contents by name, in their order; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in contents.items() if isinstance(contents, dict) else contents:
            added(tar, name, content)
    return path


def sparse(tar, name):
    """Adds a file of 5,000 bytes of which 512 are stored, as ``tar --sparse`` writes it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % 5000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    tar.fileobj.write(bytes(header) + b"s" * 512)
    tar.offset += 1024
