"""A headless Chromium for the tests that look at a page."""

import os
import re
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

    def colour(self, name: str) -> str:
        """A colour of the style sheet, like ``var(--ink)``, as the browser has it: rgb(...)."""
        script = """(name) => {
          const probe = document.body.appendChild(document.createElement("i"));
          probe.style.color = name;
          const found = getComputedStyle(probe).color;
          probe.remove();
          return found;
        }"""
        return self.page.evaluate(script, name)

    def contrast(self, name: str) -> float:
        """Of a colour of the style sheet to the page behind it, as WCAG 2 defines it."""
        one, other = (_luminance(colour) for colour in (self.colour(name), self.background()))
        return (max(one, other) + 0.05) / (min(one, other) + 0.05)

    def background(self) -> str:
        """The colour of the page."""
        return self.page.evaluate("getComputedStyle(document.body).backgroundColor")


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
