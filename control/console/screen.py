"""What a page looks like around what it shows: the menu, what was said, what is wrong."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from control.api.tagged import TAGGED
from control.console.page import Action, Done, Page
from control.console.seen import ANY, FIELD, Seen, SinceError, fields
from control.console.template import environment
from control.console.visit import Visit
from control.problem import Problem, RefusedError

LEDGER, POSTGRESQL = "the ledger is away", "PostgreSQL is away"


@dataclass(frozen=True)
class Entry:
    """A line of the menu."""

    path: str
    title: str
    here: bool


@dataclass(frozen=True)
class Wrong:
    """What an action was refused for."""

    detail: str
    fix: str
    fields: Mapping[str, str]
    """By field; of one that the form does not have, `detail` says it."""
    notes: Sequence[str] = ()
    """What somebody else changed meanwhile."""


class Screen:
    """Of one console."""

    def __init__(self, pages: Iterable[Page], static: Callable[[str], str]) -> None:
        self._pages = list(pages)
        self._templates = environment(static)

    def page(
        self,
        page: Page,
        visit: Visit,
        given: Mapping[str, Any],
        *,
        said: str,
        problem: RefusedError | None,
        tried: Done | None,
        made: Done | None,
        action: Action | None,
    ) -> str:
        """A page with what its view gives it."""
        doing = next((name for name, one in page.actions.items() if one is action), "")
        return self._templates.get_template(page.template).render(
            {
                **self._around(visit, page.under or page.path),
                "title": page.title,
                "said": said,
                "wrong": None if problem is None else _wrong(problem),
                "tried": tried,
                "made": made,
                "doing": doing,
                "action": action,
                "seen": partial(_seen, page, visit, doing),
                "may": {name: visit.may(*one.needs) for name, one in page.actions.items()},
                **given,
            }
        )

    def part(self, template: str, given: Mapping[str, Any]) -> str:
        """A template by itself: what is sent to a page that stays."""
        return self._templates.get_template(template).render(given)

    def alone(self, template: str, given: Mapping[str, Any]) -> str:
        """A page of nobody who is known."""
        return self._templates.get_template(template).render(
            {"visit": None, "menu": [], "said": "", "wrong": None, "tried": None, **given}
        )

    def error(self, problem: Problem, visit: Visit | None) -> str:
        """Of a refusal, or of a part that is away."""
        around = self._around(visit, "") if visit else {"visit": None, "menu": []}
        named = {"problem": problem, "title": _title(problem), "said": "", "wrong": None}
        return self._templates.get_template("error.html").render({**around, **named, "tried": None})

    def _around(self, visit: Visit, here: str) -> dict[str, Any]:
        menu = [
            Entry(page.path, page.menu, page.path == here)
            for page in self._pages
            if page.menu and visit.may(*page.needs)
        ]
        return {"visit": visit, "menu": menu}


def _wrong(error: RefusedError) -> Wrong:
    by_field = {one.field: one.detail for one in error.errors if one.field}
    notes = error.notes if isinstance(error, SinceError) else ()
    return Wrong(detail=error.line(), fix=error.fix, fields=by_field, notes=notes)


def _seen(
    page: Page,
    visit: Visit,
    doing: str,
    name: str,
    thing: Any,
    was: Mapping[str, str] | None = None,
    *,
    here: bool | None = None,
    more: bool = False,
) -> str:
    """What the form of action `name` shows of `thing`, as its field `seen` has it. `was`: what its
    fields show; `here`: whether it is the one that was sent, where several forms do the same;
    `more`: of a list, whether there is more of it than the page has.

    A form that comes again with what was typed in it says what it said before: beside the texts of
    then, the tag of now would let them revert what is newer."""
    sent = doing == name if here is None else here
    if was is not None and sent and (said := visit.form.get(FIELD)):
        return said
    tag, found = visit.within.settled(TAGGED[page.actions[name].needs].of, thing)
    return Seen(ANY if more else tag, fields(found), dict(was or {})).text()


def _title(problem: Problem) -> str:
    """Which part is away, where one is: who reads it has to know which to start."""
    if problem.status == 503:
        said = problem.detail.lower()
        if "ledger" in said or "redis" in said or "valkey" in said:
            return LEDGER
        if "postgresql" in said or "database" in said or "a part we need" in said:
            return POSTGRESQL
    return {403: "Not allowed", 404: "Not there", 429: "Too often"}.get(
        problem.status, problem.title
    )
