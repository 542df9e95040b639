"""Items whose page is on a list: rejected by their addresses alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from equipoise.pipeline.addresses import domain_of, page_of, with_parents
from equipoise.pipeline.reasons import BLOCKED_DOMAIN, BLOCKED_URL
from equipoise.pipeline.sharing import SharedArray
from equipoise.schemas import Col

_FOUND = "found"


@dataclass(frozen=True)
class Lists:
    """What is blocked: hashes of domains and pages (uint64), in order, on every worker."""

    domains: SharedArray
    urls: SharedArray

    def destroy(self) -> None:
        """Frees them everywhere."""
        self.domains.destroy()
        self.urls.destroy()


def hashed(entries: Sequence[str]) -> NDArray[np.uint64]:
    """One number for each text, of 64 bits: 8 bytes for an entry of a list, however long.

    Of a list of 10 million and a billion addresses of some four domains each, .002 are expected to be taken for others.
    """
    digests = b"".join(blake2b(entry.encode(errors="replace"), digest_size=8).digest() for entry in entries)
    return np.frombuffer(digests, np.uint64)


def with_blocked(raw_items: DataFrame, lists: Lists) -> DataFrame:
    """Gives raw items whose ``url`` is on a list a reason, unless they have one; drops ``url``.

    ``blocked_domain``: its host, or one above it, is on the list; ``blocked_url``: the page is. An item without an
    address is on none.
    """

    def found(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        domains, urls = lists.domains.value, lists.urls.value
        for pages in batches:
            yield _found(pages.tolist(), domains, urls)

    verdicts = pandas_udf(found, f"{Col.reason} string, {Col.detail} string")  # type: ignore[call-overload]
    judged = raw_items.select("*", verdicts(F.col(Col.url)).alias(_FOUND))
    reason, detail = F.col(Col.reason), F.col(Col.detail)
    return judged.select(
        *(F.col(name) for name in raw_items.columns if name not in (Col.reason, Col.detail, Col.url)),
        F.coalesce(reason, F.col(_FOUND)[Col.reason]).alias(Col.reason),
        F.when(reason.isNull(), F.col(_FOUND)[Col.detail]).otherwise(detail).alias(Col.detail),
    )


def _found(pages: list[str | None], domains: NDArray[np.uint64], urls: NDArray[np.uint64]) -> pd.DataFrame:
    """Reason and detail of each page, null where it is on no list; that of its domain comes first."""
    reasons: list[str | None] = [None] * len(pages)
    details: list[str | None] = [None] * len(pages)
    hosts = [None if page is None else domain_of(page) for page in pages]
    plain = [None if page is None else page_of(page) for page in pages]
    named = [(place, name) for place, host in enumerate(hosts) if host for name in with_parents(host)]
    written = [(place, page) for place, page in enumerate(plain) if page]
    for some, known, reason in ((written, urls, BLOCKED_URL), (named, domains, BLOCKED_DOMAIN)):
        for place, text in (some[number] for number in _among(hashed([text for _, text in some]), known)):
            reasons[place], details[place] = reason, f"{text} is on the list"
    return pd.DataFrame({Col.reason: reasons, Col.detail: details}, dtype=object)


def _among(numbers: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.intp]:
    """The places of the numbers that are among ``known``, which is in order."""
    if not len(known):
        return np.empty(0, np.intp)
    nearest = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.flatnonzero(known[nearest] == numbers)
