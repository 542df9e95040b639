"""The README's picture of a report: ``python tests/report/picture.py REPORT.html docs/pictures/report.png``."""

import io
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import Visit, started

HEIGHT = 765


def main() -> None:
    report, picture = Path(sys.argv[1]), Path(sys.argv[2])
    with started() as browser:
        page = Visit(browser, report.resolve()).page
        page.locator("#tree > details > summary").first.click()
        parts = []
        for section in ("balance", "clusters"):
            top = page.evaluate(f"document.getElementById('{section}').getBoundingClientRect().top + window.scrollY")
            clip = {"x": 0, "y": top, "width": 1100, "height": HEIGHT}
            shot = page.screenshot(full_page=True, clip=clip)
            parts.append(Image.open(io.BytesIO(shot)).convert("RGB"))
    sheet = Image.new("RGB", (1100, HEIGHT * len(parts)))
    for place, part in enumerate(parts):
        sheet.paste(part, (0, HEIGHT * place))
    sheet.quantize(64, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
