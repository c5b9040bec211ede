"""Tenants: whose mail it is, whether it goes, what they send from."""

from collections.abc import Mapping
from typing import Any

from control.console.binding import tenant as path_of
from control.console.formed import fields_of
from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.visit import Visit
from control.plan.changed import Changed
from control.tenants.tenant import NewTenant
from control.tenants.view import TenantView

TENANTS = "/api/v2/tenants"
PART = 50
PROFILES = next(one.options for one in fields_of(NewTenant) if one.name == "profile")


async def view(visit: Visit) -> Mapping[str, Any]:
    """By name."""
    query = {"limit": PART, "after": visit.query.get("after")}
    found: list[TenantView]
    found, after = await visit.listed("GET", TENANTS, query=query)
    return {"found": found, "after": after, "profiles": PROFILES}


async def add(visit: Visit) -> Done:
    """With its first login; its password is asked for once more where it was tried."""
    body = visit.given("name", "login", "profile")
    body["password"] = visit.form.get("password", "")
    if networks := visit.form.get("networks", "").split():
        body["networks"] = networks
    done: Changed[TenantView] = await visit.ask("POST", TENANTS, query=trying(visit), body=body)
    name = done.view.name
    would = f"Tenant {name} would be there, with the login {', '.join(done.view.logins)}."
    did = f"Tenant {name} is there. What it sends from comes next: its domains."
    return told(done, would, did, to=path_of(name))


PAGE = Page(
    path="/tenants",
    title="Tenants",
    menu="Tenants",
    template="tenants.html",
    view=view,
    needs=("GET", TENANTS),
    actions={"add": Action(("POST", TENANTS), add, "Add the tenant", tried=True)},
)
