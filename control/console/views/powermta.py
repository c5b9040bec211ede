"""PowerMTA: its servers, what each runs and is to run, who leaves it alone, how far its accounting
has been read; the plan brought into force.

Rule: while something is brought into force its form waits, and what servers run is looked at again
every few seconds beside it; without a script a second window, or a reload, shows the same.
"""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.visit import Visit
from control.plan.brought import BroughtView
from control.plan.changed import Changed
from control.problem import bad

FILES = "/api/v2/powermta"
SERVERS = "/api/v2/servers"
APPLY = f"{FILES}/apply"
PART = 200
PORT = 25


async def view(visit: Visit) -> Mapping[str, Any]:
    """All servers."""
    query = {"limit": PART, "after": visit.query.get("after")}
    servers, after = await visit.listed("GET", SERVERS, query=query)
    return {
        "servers": servers,
        "after": after,
        "standing": await visit.part("GET", f"{FILES}/standing", query={"limit": PART}),
        "told": await visit.part("GET", f"{FILES}/status", query={"limit": PART}),
        "circuits": await visit.part("GET", "/api/v2/circuits", query={"limit": PART}),
        "accounting": await visit.part("GET", "/api/v2/accounting", query={"limit": PART}),
        "inbox": await visit.part("GET", "/api/v2/accounting/inbox"),
    }


async def put(visit: Visit) -> Done:
    """A server and where it takes mail, best first; tried first."""
    addresses = [_address(text) for text in visit.form.get("addresses", "").split()]
    body = visit.given("name") | {"addresses": addresses}
    done: Changed[Any] = await visit.ask("POST", SERVERS, query=trying(visit), body=body)
    name = done.view.name
    return told(
        done, f"PowerMTA server {name} would be known so.", f"PowerMTA server {name} is known so."
    )


def _address(text: str) -> dict[str, Any]:
    host, sign, port = text.rpartition(":")
    if not sign or host.count("[") != host.count("]") or (":" in host and "[" not in host):
        host, port = text, str(PORT)
    if not (port.isascii() and port.isdigit()):
        raise bad("addresses", f"{text[:100]!r} is not host:port")
    return {"host": host.removeprefix("[").removesuffix("]"), "port": int(port)}


async def apply(visit: Visit) -> Done:
    """What the plan says, on one server first; tried first."""
    body: dict[str, Any] = visit.given("server", "reason")
    if visit.form.get("overwrite"):
        body["overwrite"] = True
    done: BroughtView = await visit.ask("POST", APPLY, query=trying(visit), body=body)
    return brought(done)


def brought(done: BroughtView) -> Done:
    """What servers run now, or would. Pure."""
    lines, notes = [], list(done.notes)
    for one in done.servers:
        version = f"version {one.version}" if one.version else "a new version"
        before = f"version {one.before}" if one.before else "nothing of ours"
        if not one.changed:
            lines.append(f"{one.server} runs {version} already.")
        elif done.dry_run:
            lines.append(f"{one.server} would be offered {version}; it is to run {before} now.")
        else:
            lines.append(f"{one.server} runs {version}; before it was {before}.")
        notes += [f"{one.server}: changed by hand: {text}" for text in one.by_hand]
    return Done(" ".join(lines) or "No server has an agent.", notes=tuple(notes))


PAGE = Page(
    path="/powermta",
    title="PowerMTA",
    menu="PowerMTA",
    template="powermta.html",
    view=view,
    needs=("GET", SERVERS),
    actions={
        "put": Action(("POST", SERVERS), put, "Put the server so", tried=True),
        "apply": Action(("POST", APPLY), apply, "Bring the plan into force", tried=True),
    },
)
