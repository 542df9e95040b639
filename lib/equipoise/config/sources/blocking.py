"""Lists of what is left out of a source before a byte of it is read."""

from typing import Self

from pydantic import model_validator

from equipoise.config.sections import Section

URL = "url"
"""The field that has the page of an item, as img2dataset and CommonCrawl's readers call it."""


class Block(Section):
    """Items whose page is on a list are rejected: ``domains`` with their sub-domains, ``urls`` one by one.

    Each names a file, an entry a line. ``url``: the column or field that has the page of an item.
    """

    domains: str | None = None
    urls: str | None = None
    url: str | None = None

    @property
    def lists(self) -> dict[str, str]:
        """The files by their keys."""
        given = {"domains": self.domains, "urls": self.urls}
        return {key: path for key, path in given.items() if path is not None}

    @model_validator(mode="after")
    def _names_a_list(self) -> Self:
        if not self.lists:
            raise ValueError("block names no list: give it a file of domains or of urls, or drop it")
        return self
