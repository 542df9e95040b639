"""Bytes and seconds as one says them."""


def duration(seconds: float) -> str:
    """In the units that one says it in: ``0.4 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds / 86400:,.1f} days"


def size(n_bytes: float) -> str:
    """Bytes in binary units, ``2.8 TiB``; a dash for none."""
    if not n_bytes:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:,.1f} PiB"
