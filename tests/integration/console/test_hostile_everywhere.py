"""Somebody hostile writes all that others may write: every page that shows it, every column."""

import re
from html.parser import HTMLParser

import pytest
from yarl import URL

from control.console.views.pages import PAGES
from control.parts import Parts
from tests.integration.console.test_hostile import ACTIVE, HOSTILE
from tests.support.control.browsing import Browser, acting
from tests.support.control.core import Api
from tests.support.control.filled.filled import asked, fill, path_of
from tests.support.control.people import joined

MARKS = (
    "Z\u0321\u0316\u032dalgo \u200f\u0645\u0631\u062d\u0628\u0627\u200e "
    "\u0430\u0440\u0440\u04cf\u0435.com xn--pple-43d.com "
)
"""Combining marks, right-to-left text with the marks that it needs, a homograph."""
LONG = 20_000
"""Octets behind each sentence. Names have bounds of the database's own: an index takes 2,700."""
INTERACTIVE = ("a", "button", "label", "summary", "select", "textarea", "option", "title")
MOST = 1_500_000
"""Characters of a page: a hundred rows with some texts that can be unfolded."""


def hostile(text: str) -> str:
    """In place of what somebody writes who means no harm."""
    return f"{HOSTILE}{MARKS}{text}{'x' * LONG if ' ' in text else ''}"


class _Shown(HTMLParser):
    """Texts by the elements that they stand in; what stands in a field is its value."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.unmarked: list[str] = []
        self.nested: list[str] = []
        self.marked = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside = [one for one in self.open if one in INTERACTIVE]
        if tag in ("a", "button", "label", "input") and inside and (tag, inside[-1]) != OWN:
            self.nested.append(f"{tag} in {' '.join(self.open)}")
        if tag not in ("input", "br", "meta", "link", "rect", "polyline", "hr", "wbr"):
            kind = dict(attrs).get("class") or ""
            self.open.append("marked" if "outside" in kind.split() else tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() not in (tag, "marked" if tag == "bdi" else tag):
            pass

    def handle_data(self, data: str) -> None:
        if "alert(1)" not in data:
            return
        if "marked" in self.open:
            self.marked += 1
        elif not {"textarea", "pre", "title", "hidden"} & set(self.open):
            self.unmarked.append(f"{' '.join(self.open[-4:])}: {data[:40]!r}")


HIDDEN = re.compile(r'<input type="hidden"[^>]*>')
"""What goes back as it came, and nobody sees."""
OWN = ("input", "label")
"""A box in its own label."""
SHOWN_AT_LEAST = {
    *("/ips/{ip}", "/virtualmtas/{ip}", "/held", "/explain", "/domains/{domain}"),
    *("/powermta", "/powermta/{server}", "/suppressions", "/reputation", "/alerts", "/jobs"),
    *("/jobs/{job}", "/audit", "/"),
}
"""Pages on which something of others stands."""


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin of a stack that somebody hostile has written to."""
    await fill(api, core, hostile)
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def test_whoever_wrote_it_it_is_inert_marked_and_cut(anna: Browser) -> None:
    wrong: list[str] = []
    shown_at: set[str] = set()
    paths = {"/": {}, "/account": {}, **{page.path: asked(page.path) for page in PAGES}}
    paths["/domains/{domain}"] = {}
    for path, query in paths.items():
        at = path_of(path, domain="mail.acme.example")
        seen = await anna.get(str(URL(at).with_query(query)))
        assert seen.status == 200, (path, seen.words[:300])
        shown = _Shown()
        shown.feed(seen.text)
        found = [f"acts: {one}" for one in acting(seen.text)]
        found += [f"not marked: {one}" for one in shown.unmarked]
        found += [f"nested: {one}" for one in shown.nested]
        found += ["a template of a template"] if "alert(2)&gt;49" in seen.text else []
        text = HIDDEN.sub("", seen.text)
        if active := ACTIVE.search(text):
            around = text[max(0, active.start() - 80) : active.start()]
            found.append(f"active {active[0]!r} behind {around!r}")
        found += [f"{len(seen.text)} long"] if len(seen.text) > MOST else []
        found += ["not cut"] if re.search("x{5000}", seen.text) else []
        wrong += [f"{path}: {line}" for line in dict.fromkeys(found)]
        if shown.marked:
            shown_at.add(path)
    assert not wrong, "\n".join(wrong)
    assert shown_at >= SHOWN_AT_LEAST
