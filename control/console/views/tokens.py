"""Tokens: what programs ask the API with; making one, which is shown once, and revoking one."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.views.users import listed, proof
from control.console.visit import Visit
from control.users.desk import Administered
from control.users.issuing import Issued
from control.users.token import TokenView

TOKENS = "/api/v2/tokens"
ADD, REVOKE = ("POST", TOKENS), ("DELETE", f"{TOKENS}/{{token}}")
SCOPES = {
    "read": "looks",
    "operate": "changes what an operator may",
    "admin": "changes everything",
    "scrape": "reads metrics alone",
    "accounting": "posts PowerMTA's records",
    "agent": "a PowerMTA server's agent",
}
FILTERS = ("scope", "tenant", "expired", "unused", "prefix")
PART = 100


async def view(visit: Visit) -> Mapping[str, Any]:
    """By name."""
    filters = {name: visit.query.get(name, "").strip() for name in FILTERS}
    asked = {**filters, "limit": PART, "after": visit.query.get("after")}
    found: list[TokenView]
    found, after = await visit.listed("GET", TOKENS, query=asked)
    return {
        "filters": filters,
        "filtered": any(filters.values()),
        "found": found,
        "after": after,
        "scopes": SCOPES,
        "own": visit.holder.tenants,
    }


async def add(visit: Visit) -> Done:
    """The token is on the page that answers, and nowhere else."""
    body = visit.given("name", "scope", "expires") | listed(visit, "tenants")
    body |= listed(visit, "networks") | proof(visit)
    done: Issued = await visit.ask(*ADD, body=body)
    ends = f"until {done.terms.expires}" if done.terms.expires else "until it is revoked"
    return Done(f"{done.terms.name} is good {ends}.", secret=done.token or "")


async def revoke(visit: Visit) -> Done:
    """It is worthless at once."""
    query = visit.given("reason") | trying(visit)
    names = {"token": visit.form.get("token", "")}
    done: Administered[TokenView] = await visit.ask(*REVOKE, names=names, query=query)
    would = "would be" if done.dry_run else "is"
    used = f"used last {done.view.used}" if done.view.used else "never used"
    return Done(f"{done.view.name} ({used}) {would} worthless at once.", notes=tuple(done.notes))


PAGE = Page(
    path="/tokens",
    title="Tokens",
    template="tokens.html",
    view=view,
    needs=("GET", TOKENS),
    under="/users",
    actions={
        "add": Action(ADD, add, "Make it"),
        "revoke": Action(REVOKE, revoke, "Revoke", tried=True),
    },
)
