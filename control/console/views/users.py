"""Users: who may sign in, as what; inviting somebody.

Rule: a one-time link is shown on the page that answers the form, once, and nowhere else: not in an
address, not in a cookie. Who gives somebody a way in says its own password, as the API has it.
"""

import re
from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.visit import Visit
from control.users.desk import Administered
from control.users.people import Linked
from control.users.person import PersonView

USERS = "/api/v2/users"
ADD = ("POST", USERS)
ROLES = ("viewer", "operator", "admin")
STATES = ("active", "invited", "disabled")
FILTERS = ("role", "tenant", "state", "prefix")
PART = 100
PROOF = ("own_password", "own_code")


async def view(visit: Visit) -> Mapping[str, Any]:
    """By name."""
    filters = {name: visit.query.get(name, "") for name in FILTERS}
    asked = {**filters, "limit": PART, "after": visit.query.get("after")}
    found: list[PersonView]
    found, after = await visit.listed("GET", USERS, query=asked)
    return {
        "filters": filters,
        "filtered": any(filters.values()),
        "found": found,
        "after": after,
        "roles": ROLES,
        "states": STATES,
        "own": visit.holder.tenants,
    }


async def add(visit: Visit) -> Done:
    """With a link, mailed or shown."""
    body = visit.given("name", "role", "mail") | listed(visit, "tenants") | proof(visit)
    done: Administered[Linked] = await visit.ask(*ADD, body=body)
    return linked(done, f"{done.view.user.name} may sign in as {done.view.user.role}")


def linked(done: Administered[Linked], said: str) -> Done:
    """Where its link went."""
    of = done.view
    if of.link is None:
        return Done(f"{said}: {of.mail}.")
    why = f" ({of.mail})" if of.mail else ""
    return Done(f"{said}, once it has chosen a password by this link{why}.", secret=of.link)


def listed(visit: Visit, field: str) -> dict[str, Any]:
    """Names with blanks or commas between, of a field of the form; none is left out."""
    names = [one for one in re.split(r"[\s,]+", visit.form.get(field, "")) if one]
    return {field: names} if names else {}


def proof(visit: Visit) -> dict[str, Any]:
    """That it is the user itself who sits there."""
    # A password may begin or end with a blank.
    return {name: text for name in PROOF if (text := visit.form.get(name, ""))}


PAGE = Page(
    path="/users",
    title="Users",
    menu="Users and tokens",
    template="users.html",
    view=view,
    needs=("GET", USERS),
    actions={"add": Action(ADD, add, "Invite")},
)
