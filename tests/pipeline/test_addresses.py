"""Addresses of pages: which are one, and what is on a list."""

import pytest

from equipoise.pipeline.addresses import domain_of, domains_in, page_of, pages_in, with_parents


@pytest.mark.parametrize(
    "url, domain, page",
    [
        ("http://Example.ORG/A/b.jpg?x=1#y", "example.org", "example.org/A/b.jpg?x=1"),
        ("https://user:pw@example.org:443/", "example.org", "example.org"),
        ("https://example.org:8080//a/", "example.org", "example.org:8080//a"),
        ("//example.org./a", "example.org", "example.org/a"),
        ("example.org/a b", "example.org", "example.org/a b"),
        ("http://müller.de/ü", "xn--mller-kva.de", "xn--mller-kva.de/ü"),
        ("http://10.0.0.1/x", "10.0.0.1", "10.0.0.1/x"),
        ("s3://bucket/a.jpg", None, None),
        ("tar:12+3:file:/a.tar!/b", None, None),
        ("http://[::1/x", None, None),
        ("/local/a.jpg", None, None),
        (" ", None, None),
    ],
)
def test_spellings_of_a_page_are_one(url, domain, page):
    assert (domain_of(url), page_of(url)) == (domain, page)


def test_a_domain_is_below_those_that_it_ends_in():
    assert list(with_parents("a.b.org")) == ["a.b.org", "b.org", "org"]


@pytest.mark.parametrize(
    "line, domains",
    [
        ("Bad.example.org", ["bad.example.org"]),
        ("*.example.org.", ["example.org"]),
        (".example.org", ["example.org"]),
        ("0.0.0.0 ads.org more.org", ["ads.org", "more.org"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("zip", ["zip"]),
        ("Müller.de", ["xn--mller-kva.de"]),
    ],
)
def test_lists_of_domains_are_read_as_they_are_published(line, domains):
    assert domains_in(line) == domains


@pytest.mark.parametrize("line", ["example.org/path", "||ads.org^", "ads.org more.org", "http://example.org", "a..b"])
def test_what_is_no_domain_is_refused(line):
    with pytest.raises(ValueError, match="is no domain: write one a line, without a path"):
        domains_in(line)


def test_pages_of_a_list_are_as_those_of_items():
    assert pages_in("HTTPS://Example.org/a/") == ["example.org/a"]
    for line in ("/a", "example.org/a b", "ftp://example.org/a"):
        with pytest.raises(ValueError, match="is no address of a page"):
            pages_in(line)
