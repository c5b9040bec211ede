"""One tenant: its terms, how its mail gets in, what it goes out by; paused, changed, removed."""

from collections.abc import Mapping
from typing import Any

from control.console.formed import Field, asked, fields_of
from control.console.page import Action, Done, Page
from control.console.reach import within_reach
from control.console.told import forced, told, trying
from control.console.views import entrance, pools
from control.console.visit import Visit
from control.plan.changed import Changed, Removed
from control.plan.terms import TERMS
from control.sources.poolview import PoolDetail
from control.tenants.login import LoginView
from control.tenants.terms import TenantChange
from control.tenants.view import TenantView

ONE = "/api/v2/tenants/{tenant}"
PART = 100
FIELDS = fields_of(TenantChange, but=("networks",))
"""Networks are a way in, and have their own forms."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Who may send what": (
        *("profile", "strict", "senders", "max_recipients", "unreadable_from", "brand_domains"),
        *("suppressed", "duplicates", "feedback_id", "list_unsubscribe", "dsn"),
    ),
    "When and how much": ("hours", "zone", "per_minute", "per_hour", "weight"),
    "Mailboxes": tuple(name for name in TERMS if name.startswith("mailbox")),
    "Held mail": tuple(name for name in TERMS if name.startswith("hold_")),
}


async def view(visit: Visit) -> Mapping[str, Any]:
    """`tenant` of the path."""
    await within_reach(visit)
    one: TenantView = await visit.ask("GET", ONE, names=named(visit))
    logins: list[LoginView]
    logins, more = await visit.listed(
        "GET", f"{ONE}/logins", names=named(visit), query={"limit": PART}
    )
    query = {"tenant": one.name, "limit": PART, "after": visit.query.get("after")}
    found: list[PoolDetail]
    found, after = await visit.listed("GET", "/api/v2/pools", query=query)
    now = {name: getattr(one, name) for name in (*TERMS, "hours", "zone")}
    return {
        "title": f"Tenant {one.name}",
        "one": one,
        "logins": logins,
        "more_logins": bool(more),
        "pools": found,
        "after": after,
        "groups": {title: [BY_NAME[name] for name in names] for title, names in GROUPS.items()},
        "now": {one.name: one.shown(now[one.name]) for one in FIELDS},
        "set": {one.name: now[one.name] for one in FIELDS},
    }


BY_NAME: Mapping[str, Field] = {one.name: one for one in FIELDS}


async def change(visit: Visit) -> Done:
    """What the form has otherwise than the tenant; tried first."""
    one: TenantView = await visit.ask("GET", ONE, names=named(visit))
    now = {name: getattr(one, name) for name in BY_NAME}
    body = asked(FIELDS, visit.form, now)
    if body.get("zone") == "":
        # Hours that end take their zone along.
        del body["zone"]
    done: Changed[TenantView] = await visit.ask(
        "PATCH", ONE, names=named(visit), query=trying(visit), body=body
    )
    return told(done, f"Tenant {one.name} would change:", f"Tenant {one.name} is changed.")


async def pause(visit: Visit) -> Done:
    """All of its mail."""
    done: Changed[TenantView] = await visit.ask(
        "POST", f"{ONE}/pause", names=named(visit), query=trying(visit)
    )
    name = done.view.name
    return told(done, f"Mail of tenant {name} would wait.", f"Mail of tenant {name} waits.")


async def resume(visit: Visit) -> Done:
    """Goes on, and calls a removal off."""
    done: Changed[TenantView] = await visit.ask(
        "POST", f"{ONE}/resume", names=named(visit), query=trying(visit)
    )
    name = done.view.name
    return told(done, f"Mail of tenant {name} would go on.", f"Mail of tenant {name} goes on.")


async def remove(visit: Visit) -> Done:
    """With all that is its own; refused with what is in the way."""
    done: Changed[Removed] = await visit.ask("DELETE", ONE, names=named(visit), query=forced(visit))
    also = [f"{noun}: {', '.join(names[:20])}" for noun, names in done.view.also.items()]
    would = "; ".join([f"Tenant {done.view.name} would be gone, with all that is its own", *also])
    return told(done, f"{would}.", f"Tenant {done.view.name} is gone.", to="/tenants")


def named(visit: Visit) -> dict[str, str]:
    """Which one."""
    return {"tenant": visit.names["tenant"]}


PAGE = Page(
    path="/tenants/{tenant}",
    title="One tenant",
    template="tenant.html",
    view=view,
    needs=("GET", ONE),
    under="/tenants",
    actions={
        "set": Action(("PATCH", ONE), change, "Change it", tried=True),
        "pause": Action(("POST", f"{ONE}/pause"), pause, "Stop its mail", tried=True),
        "resume": Action(("POST", f"{ONE}/resume"), resume, "Go on with its mail", tried=True),
        "remove": Action(("DELETE", ONE), remove, "Remove the tenant", tried=True),
        **entrance.ACTIONS,
        **pools.ACTIONS,
    },
)
