"""Numbers and times as a reader expects them."""

import math
from collections import Counter
from collections.abc import Mapping

MISSING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def whole(number: float | None) -> str:
    """1,234,567."""
    return MISSING if number is None else f"{number:,.0f}"


def share(part: float | None) -> str:
    """A part of 1 in percent: two digits that count below ten, none lost at the ends (0.04% is not 0%)."""
    if part is None or math.isnan(part):
        return MISSING
    percent = 100 * part
    if percent == 0 or percent >= 99.95:
        return f"{percent:.0f}%"
    if percent < 0.001:
        return "< 0.001%"
    return f"{percent:.{max(0, 1 - math.floor(math.log10(percent)))}f}%" if percent < 10 else f"{percent:.1f}%"


def measure(value: float | None) -> str:
    """Whole numbers with thousands, others with three digits that count."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.1f}"
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.3g}"


def cosine(value: float | None) -> str:
    """Four digits that count: thresholds lie close to 1."""
    return MISSING if value is None else f"{value:.4g}"


def reasons(drops: Mapping[str, int]) -> list[tuple[str, int]]:
    """Why items were left out, in words, and how many; those of numbered rounds are one."""
    told: Counter[str] = Counter()
    for reason, n in sorted(drops.items()):
        name, _, of = reason.partition(":")
        told[" ".join([*name.split("_"), "" if of.isdigit() else of]).rstrip()] += n
    return [(words, n) for words, n in told.items() if n]


def times(ratio: float | None) -> str:
    """What a share was multiplied by, with the sign before it."""
    if ratio is None or math.isnan(ratio):
        return MISSING
    return f"{TIMES}{ratio:.2f}" if ratio < 100 else f"{TIMES}{ratio:,.0f}"


def duration(seconds: float | None) -> str:
    """12.3 s, 4 min 05 s, 3 h 20 min."""
    if seconds is None:
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
