"""What keeps people from a page: axe's rules, and a walk through it with the keyboard alone."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.watched import Watched

if TYPE_CHECKING:
    from playwright.async_api import Page

_AXE = Path(__file__).parent / "axe" / "axe.min.js"
GRAVE = ("serious", "critical")
"""Of axe's four degrees: somebody cannot use it, or hardly."""


# `region` looks at each word, twenty seconds for a long page, and is not grave.
_RUN = "axe.run({resultTypes: ['violations'], rules: {region: {enabled: false}}})"


async def barriers(one: Watched) -> list[str]:
    """axe's findings that are grave: rule, where, what is wrong."""
    if not one.look.scripts:
        async with _standing(one) as page:
            return await _barriers(page)
    return await _barriers(one.page)


async def _barriers(page: "Page") -> list[str]:
    await page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = await page.evaluate(_RUN)
    return [
        f"{one['impact']} {one['id']} at {' '.join(map(str, node['target']))}: "
        f"{' '.join(node['failureSummary'].split())}"
        for one in found["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@asynccontextmanager
async def _standing(one: Watched) -> AsyncIterator["Page"]:
    """What a browser without JavaScript shows, in one where axe's timers run and its own scripts do
    not."""
    shown = re.sub("(?i)<(/?)noscript", r"<\1div", await one.page.content())
    browser = one.page.context.browser
    assert browser is not None
    state = await one.page.context.storage_state()
    context = await browser.new_context(
        **replace(one.look, scripts=True).options(), storage_state=state
    )
    try:
        page = await context.new_page()
        still = {"Content-Security-Policy": "script-src 'none'"}
        await page.route(
            one.page.url,
            lambda route: route.fulfill(body=shown, content_type="text/html", headers=still),
        )
        await page.goto(one.page.url)
        yield page
    finally:
        await context.close()


_FOCUSABLE = """
() => {
  const groups = new Set();
  window.sendgateAll = [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]"
  )].filter((one) => {
    if (one.disabled || one.tabIndex < 0 || one.type === "hidden") return false;
    if (one.closest("[inert]")) return false;
    if (!one.checkVisibility({visibilityProperty: true})) return false;
    if (one.type !== "radio") return true;
    const group = `${one.form ? [...document.forms].indexOf(one.form) : ""} ${one.name}`;
    return !groups.has(group) && groups.add(group);
  });
  window.sendgateSign = (one) => {
    const has = getComputedStyle(one), outline = has.outlineStyle === "none" ? "" : has.outline;
    const {boxShadow, textDecoration, color, background, border} = has;
    return [outline, boxShadow, textDecoration, color, background, border].join();
  };
  // Tab goes on where the focus was last: at the beginning.
  const first = document.createElement("span");
  first.tabIndex = -1;
  document.body.prepend(first);
  first.focus();
  window.sendgatePlain = window.sendgateAll.map(sendgateSign);
  first.remove();
  return window.sendgateAll.length;
}
"""

_FOCUSED = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const at = one.getBoundingClientRect();
  const group = one.type === "radio" ? window.sendgateAll.find(
    (other) => other.type === "radio" && other.name === one.name && other.form === one.form) : one;
  const number = window.sendgateAll.indexOf(group);
  return {
    at: number,
    shown: number < 0 || sendgateSign(one) !== window.sendgatePlain[number],
    seen: at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth,
    name: one.outerHTML.slice(0, 120),
  };
}
"""


async def unreachable(one: Watched, *, most: int = 5000) -> list[str]:
    """What Tab does not come to, comes to unseen, or comes to without a sign of it."""
    page = one.page
    wanted = int(await page.evaluate(_FOCUSABLE))
    reached: set[int] = set()
    wrong: list[str] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        now = await page.evaluate(_FOCUSED)
        if now is None or (now["at"] in reached and len(reached) == wanted):
            break
        if now["at"] in reached:
            wrong.append(f"Tab comes back before it was everywhere: {now['name']}")
            break
        # -1: what the browser itself makes reachable, such as what scrolls.
        if now["at"] >= 0:
            reached.add(now["at"])
        wrong += [f"no sign of focus: {now['name']}"] if not now["shown"] else []
        wrong += [f"focused out of sight: {now['name']}"] if not now["seen"] else []
    missed = sorted(set(range(wanted)) - reached)
    lost = "(numbers) => numbers.map((at) => sendgateAll[at].outerHTML.slice(0, 120))"
    return wrong + [f"not reached: {name}" for name in await page.evaluate(lost, missed)]
