"""A headless Chromium for the tests that look at a page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
VARIABLE = "EQUIPOISE_CHROMIUM"


def chromium() -> str:
    """The path of the browser; skips the test where there is none."""
    path = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium here: apt-get install chromium, or name one in {VARIABLE}")
    return path


@contextmanager
def started() -> Iterator:
    """A browser of playwright's."""
    path = chromium()
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, and what happened on it."""

    def __init__(self, browser, path: Path, *, width: int = 1100, scheme: str = "light") -> None:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    @property
    def is_clean(self) -> bool:
        """Nothing was said on the console, and nothing was asked for but the page and what it carries."""
        outside = [url for url in self.requests[1:] if not url.startswith("data:")]
        return not self.complaints and not outside

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def contrast(self) -> float:
        """Of the text to the page behind it, as WCAG 2 defines it."""
        script = """() => {
          const style = getComputedStyle(document.body);
          const light = (colour) => {
            const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
            const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const [a, b] = [light(style.color), light(style.backgroundColor)];
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }"""
        return self.page.evaluate(script)

    def background(self) -> str:
        """The colour of the page."""
        return self.page.evaluate("getComputedStyle(document.body).backgroundColor")
