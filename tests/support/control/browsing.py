"""Somebody at the console, as a browser asks: cookies that are kept, forms with where they come
from, redirects followed by hand."""

import asyncio
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

from control.console.seen import ANY
from control.console.seen import Seen as Showing
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD

PENDING = re.compile('class="(?:notice|empty) pending"')
OURS = object()
"""Of a form's origin: what a page of ours has a browser say."""

ANYTHING = Showing(ANY, {}, {}).text()
"""Of a form: that it showed whatever there is."""


@dataclass
class Seen:
    """An answer."""

    status: int
    headers: Any
    text: str

    @property
    def to(self) -> str:
        """Where it leads."""
        return str(self.headers.get("Location", ""))

    @property
    def words(self) -> str:
        """What a reader reads, blanks as one."""
        parser = _Words()
        parser.feed(self.text)
        return re.sub(r"\s+", " ", " ".join(parser.found)).strip()

    @property
    def forms(self) -> list[str]:
        """What its forms do."""
        return re.findall(r'name="do" value="(\w+)"', self.text)

    def posted(self, **wanted: str) -> "list[Posted]":
        """Its forms that post, with these values in hidden fields, or on one of their buttons."""
        found = _Posted()
        found.feed(self.text)
        return [form for form in found.found if form.has(wanted)]


@dataclass
class Posted:
    """A form of a page."""

    action: str = ""
    """Where it goes; empty: to the page itself."""
    hidden: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    """What stands in the fields that people fill in."""
    does: list[str] = field(default_factory=list)
    """What its buttons do."""

    def has(self, wanted: dict[str, str]) -> bool:
        """By its hidden fields; `do` may be a button's."""
        return all(
            self.hidden.get(name) == text or (name == "do" and text in self.does)
            for name, text in wanted.items()
        )

    def sent(self, do: str, **typed: str) -> dict[str, str]:
        """What a browser sends."""
        return {**self.hidden, **self.shown, **typed, "do": do}


class _Posted(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Posted] = []
        self._in: Posted | None = None
        self._field = ""
        """The one whose value follows: that of a textarea, or a choice."""
        self._area = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form" and given.get("method") == "post":
            self._in = Posted(given.get("action", ""))
            self.found.append(self._in)
        if self._in is None:
            return
        if tag == "input" and name and given.get("type") not in ("checkbox", "hidden"):
            self._in.shown[name] = value
        elif tag == "input" and name and (given["type"] == "hidden" or "checked" in given):
            self._in.hidden[name] = value
        elif tag == "button" and name == "do":
            self._in.does.append(value)
        elif tag in ("select", "textarea"):
            self._field, self._area = name, tag == "textarea"
            self._in.shown[name] = ""
        elif tag == "option" and "selected" in given:
            self._in.shown[self._field] = value

    def handle_data(self, data: str) -> None:
        if self._in is not None and self._area:
            self._in.shown[self._field] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._in is not None:
            # The line end behind the tag is no part of it (HTML, 13.2.6.4.7).
            self._in.shown[self._field] = self._in.shown[self._field].removeprefix("\n")
            self._area = False
        if tag == "form":
            self._in = None


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


class _Acting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("img", "iframe", "object", "embed", "style", "base"):
            self.found.append(tag)
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.found.append("script")
        for name, value in given.items():
            led = name in ("href", "src", "action", "formaction")
            if name.startswith("on") or name == "style" or (led and not _ours(value)):
                self.found.append(f"{tag} {name}={value}")


def _ours(url: str) -> bool:
    return url == "#main" or (url.startswith("/") and not url.startswith(("//", "/\\")))


def acting(text: str) -> list[str]:
    """Elements and attributes of a page that would run or load what is not a file of ours, or lead
    elsewhere."""
    parser = _Acting()
    parser.feed(text)
    return parser.found


@dataclass
class Browser:
    """With its own cookies."""

    api: Api
    source: str = ""
    """Where it comes from, where the console believes a proxy."""
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Seen:
        """A page, whole: where it says that it still looks for something, again."""
        async with asyncio.timeout(30):
            while PENDING.search((seen := await self.at_once(path, **headers)).text):
                await asyncio.sleep(0.05)
        return seen

    async def at_once(self, path: str, **headers: str) -> Seen:
        """A page as it comes."""
        return await self._ask("GET", path, None, headers)

    async def post(
        self, path: str, form: dict[str, Any], *, origin: Any = OURS, **headers: str
    ) -> Seen:
        """A form of a page of ours, unless another origin is said; None: of a program, which says
        none. What the page's form of that meaning showed (`seen`) goes with it, where the test says
        nothing of it."""
        if origin is OURS:
            form = await self._showing(path, form) | form
            headers = {"Origin": self.api.url, "Sec-Fetch-Site": "same-origin", **headers}
        elif origin is not None:
            headers = {"Origin": origin, **headers}
        return await self._ask("POST", path, form, headers)

    async def sign_in(
        self, name: str, password: str = PASSWORD, code: str = "", **more: str
    ) -> Seen:
        """By the form."""
        form = {"name": name, "password": password, "code": code, **more}
        return await self.post("/sign-in", form)

    async def _showing(self, path: str, form: dict[str, Any]) -> dict[str, str]:
        if "do" not in form or "seen" in form:
            return {}
        page = await self.at_once(path)
        for one in page.posted(do=form["do"]):
            rest = {n: text for n, text in one.hidden.items() if n not in ("seen", "do")}
            if "seen" in one.hidden and rest.items() <= form.items():
                return {"seen": one.hidden["seen"]}
        return {}

    async def _ask(
        self, method: str, path: str, form: dict[str, Any] | None, headers: dict[str, str]
    ) -> Seen:
        sent = {"Accept": "text/html", **headers}
        if self.source:
            sent["X-Forwarded-For"] = self.source
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.api.session.request(
            method, self.api.url + path, data=form, headers=sent, allow_redirects=False
        ) as answer:
            seen = Seen(answer.status, answer.headers, await answer.text())
        for line in seen.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return seen
