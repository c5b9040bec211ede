"""One PowerMTA server: what it runs, what would change, its versions; put back, let go, removed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.views.powermta import FILES, brought
from control.console.visit import Part, Visit
from control.plan.brought import BroughtView
from control.plan.changed import Changed, Removed
from control.plan.configured import DifferenceView
from control.plan.rows import ServerRow
from control.problem import RefusedError
from policy.isotime import instant

ONE = "/api/v2/servers/{server}"
AGENT = f"{ONE}/agent"
ROLLBACK = f"{FILES}/rollback"
PART = 30
LINES = 2_000
"""Lines of a difference that a page shows."""
WIDEST = 1_000
"""Characters of each."""


@dataclass(frozen=True)
class Differs:
    """From one configuration to another."""

    files: Mapping[str, str]
    cut: int = 0
    """Lines that are not shown."""
    wrong: str = ""


async def view(visit: Visit) -> Mapping[str, Any]:
    """`server` of the path; `from` and `to`: what is compared."""
    one: ServerRow = await visit.ask("GET", ONE, names=_named(visit))
    only = {"server": one.name}
    query = {**only, "limit": PART, "after": visit.query.get("after")}
    versions, after = await visit.listed("GET", f"{FILES}/versions", query=query)
    before = visit.query.get("from", "").strip() or "running"
    to = visit.query.get("to", "").strip() or "plan"

    async def compared() -> Part:
        return Part(found=await _differs(visit, one.name, before, to))

    # Each makes the configuration of the plan: with 5,000 IPs that takes a second.
    standing, validated, differs = await asyncio.gather(
        visit.soon("GET", f"{FILES}/standing", query=only),
        visit.soon("GET", f"{FILES}/validate", query=only),
        visit.later(f"differences {one.name} {before} {to}", compared),
    )
    return {
        "title": f"PowerMTA {one.name}",
        "one": one,
        "standing": standing,
        "validated": validated,
        "versions": versions,
        "at": {it.version: instant(it.at) for it in versions},
        "after": after,
        "compared": {"from": before, "to": to},
        "differs": differs,
    }


async def _differs(visit: Visit, server: str, before: str, to: str) -> Differs:
    query = {"server": server, "from": before, "to": to}
    try:
        found: DifferenceView = await visit.ask("GET", f"{FILES}/diff", query=query)
    except RefusedError as error:
        if error.status in (401, 403, 429):
            raise
        return Differs({}, wrong=error.line())
    left, shown, cut = LINES, {}, 0
    for name, text in found.files.items():
        lines = text.splitlines()
        shown[name] = "\n".join(map(_cut, lines[:left]))
        cut += max(len(lines) - left, 0)
        left = max(left - len(lines), 0)
    return Differs(shown, cut)


def _cut(line: str) -> str:
    more = len(line) - WIDEST
    return line if more <= 0 else f"{line[:WIDEST]}… {more:,} characters more"


async def rollback(visit: Visit) -> Done:
    """An older version, until the plan is brought into force again; tried first."""
    body = visit.given("reason") | visit.numbers("version") | {"server": visit.names["server"]}
    done: BroughtView = await visit.ask("POST", ROLLBACK, query=trying(visit), body=body)
    return brought(done)


async def release(visit: Visit) -> Done:
    """Its agent is waited for no more; tried first."""
    done = await _removed(visit, AGENT)
    name = done.view.name
    return told(
        done,
        f"Nobody would wait for the agent of {name}.",
        f"Nobody waits for the agent of {name}.",
    )


async def remove(visit: Visit) -> Done:
    """One that no IP is on; tried first."""
    done = await _removed(visit, ONE)
    name = done.view.name
    return told(
        done,
        f"PowerMTA server {name} would be gone.",
        f"PowerMTA server {name} is gone.",
        to="/powermta",
    )


async def _removed(visit: Visit, path: str) -> Changed[Removed]:
    query = trying(visit) | {"reason": visit.form.get("reason", "").strip()}
    done: Changed[Removed] = await visit.ask("DELETE", path, names=_named(visit), query=query)
    return done


def _named(visit: Visit) -> dict[str, str]:
    return {"server": visit.names["server"]}


PAGE = Page(
    path="/powermta/{server}",
    title="One PowerMTA server",
    template="pmtaserver.html",
    view=view,
    needs=("GET", ONE),
    under="/powermta",
    actions={
        "rollback": Action(("POST", ROLLBACK), rollback, "Put it back", tried=True),
        "release": Action(("DELETE", AGENT), release, "Wait for its agent no more", tried=True),
        "remove": Action(("DELETE", ONE), remove, "Remove the server", tried=True),
    },
)
