"""One mailbox: what it sent today and should have, when it may go on, its own limits."""

from collections.abc import Mapping
from typing import Any

from control.console.formed import asked, fields_of
from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.visit import Visit
from control.mailboxes.limits import MailboxChange
from control.mailboxes.standing import MailboxView
from control.plan.changed import Changed, Removed
from control.plan.rows import MailboxRow

ONE = "/api/v2/tenants/{tenant}/mailboxes/{address}"
PROGRESS = "/api/warmup/mailbox"
FIELDS = fields_of(MailboxChange)


async def view(visit: Visit) -> Mapping[str, Any]:
    """`address` of the path, of the tenant that is looked at."""
    one: MailboxView = await visit.ask("GET", ONE, names=await _named(visit))
    query = {"tenant": one.tenant, "id": one.address}
    now = _limits(one)
    return {
        "title": "One mailbox",
        "one": one,
        "progress": await visit.part("GET", PROGRESS, query=query),
        "fields": FIELDS,
        "now": {it.name: it.shown(now.get(it.name)) for it in FIELDS},
    }


async def change(visit: Visit) -> Done:
    """What the form has otherwise; an empty field takes the tenant's. Tried first."""
    one: MailboxView = await visit.ask("GET", ONE, names=await _named(visit))
    body = asked(FIELDS, visit.form, _limits(one))
    done: Changed[MailboxRow] = await visit.ask(
        *("PUT", ONE), names=await _named(visit), query=trying(visit), body=body
    )
    name = done.view.address
    return told(done, f"Limits of {name} would change:", f"Limits of {name} are changed.")


async def lift(visit: Visit) -> Done:
    """The tenant's limits hold for it again; tried first."""
    query = trying(visit) | {"reason": visit.form.get("reason", "").strip()}
    done: Changed[Removed] = await visit.ask("DELETE", ONE, names=await _named(visit), query=query)
    name = done.view.name
    return told(
        done,
        f"The tenant's limits would hold for {name}.",
        f"The tenant's limits hold for {name}.",
    )


def _limits(one: MailboxView) -> dict[str, Any]:
    own = one.limits
    return {} if own is None else {it.name: getattr(own, it.name) for it in FIELDS}


async def _named(visit: Visit) -> dict[str, str]:
    """Which one; where no tenant is said, that of whom an address of it is known."""
    address = visit.names["address"]
    if visit.tenant is not None:
        return {"tenant": visit.tenant, "address": address}
    found = await visit.ask("GET", PROGRESS, query={"id": address})
    return {"tenant": found.tenant, "address": address}


PAGE = Page(
    path="/mailboxes/{address}",
    title="One mailbox",
    template="mailbox.html",
    view=view,
    needs=("GET", ONE),
    under="/mailboxes",
    actions={
        "set": Action(("PUT", ONE), change, "Change its limits", tried=True),
        "lift": Action(("DELETE", ONE), lift, "Let the tenant's limits hold", tried=True),
    },
)
