"""Many pictures as one, by the browser itself."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

WIDTH = 1920
"""CSS pixels."""
HEIGHT = 210
"""Of one picture in it; what is longer is cut."""
QUALITIES = (70, 60, 50, 40, 30, 20)
"""Of JPEG, the best that is small enough."""
_LOOK = f"""
body {{ margin: 0; padding: 8px; background: #d8dbde; font: 12px/1.4 system-ui, sans-serif;
    display: grid; grid-template-columns: repeat(4, 1fr); grid-auto-rows: max-content; gap: 8px }}
figure {{ margin: 0; background: #fff; padding: 4px; overflow: hidden }}
figcaption {{ padding: 0 2px 2px; white-space: nowrap; overflow: hidden }}
div {{ display: flex; gap: 4px; height: {HEIGHT}px }}
img {{ object-fit: cover; object-position: top; height: {HEIGHT}px; min-width: 0 }}
img:first-child {{ flex: 1 1 0; object-position: top left }}
img + img {{ flex: 0 0 {HEIGHT // 2}px }}
"""


async def sheet(
    browser: "Browser", named: Sequence[tuple[str, Sequence[Path]]], most: int
) -> bytes:
    """A JPEG of at most `most` octets: what each is called, and its pictures."""
    page = await browser.new_page(viewport={"width": WIDTH, "height": 800})
    try:
        figures = "".join(_figure(name, pictures) for name, pictures in named)
        await page.set_content(f"<!doctype html><style>{_LOOK}</style>{figures}")
        for quality in QUALITIES:
            made = await page.screenshot(full_page=True, type="jpeg", quality=quality)
            if len(made) <= most:
                return bytes(made)
    finally:
        await page.close()
    raise ValueError(f"{len(made)} octets at the least quality, {most} at most")


def _figure(name: str, pictures: Sequence[Path]) -> str:
    images = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(one.read_bytes()).decode()}">'
        for one in pictures
    )
    return f"<figure><figcaption>{escape(name)}</figcaption><div>{images}</div></figure>"
