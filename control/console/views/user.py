"""One user: what it may do, and taking that away."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.views.users import ROLES, USERS, linked, listed, proof
from control.console.visit import Visit
from control.users.desk import Administered
from control.users.people import Linked
from control.users.person import PersonView

ONE = f"{USERS}/{{user}}"
CHANGE, REMOVE = ("PATCH", ONE), ("DELETE", ONE)
RESET, SESSIONS = ("POST", f"{ONE}/reset"), ("DELETE", f"{ONE}/sessions")


async def view(visit: Visit) -> Mapping[str, Any]:
    """`user` of the path."""
    found: PersonView = await visit.ask("GET", ONE, names=_named(visit))
    return {"title": found.name, "user": found, "roles": ROLES}


async def change(visit: Visit) -> Done:
    """What it may do: the fields as the form has them, empty ones too."""
    body = {
        "role": visit.form.get("role", ""),
        **({"tenants": None} | listed(visit, "tenants")),
        **({"mail": None} | visit.given("mail")),
        **proof(visit),
    }
    return await _changed(visit, body)


async def disable(visit: Visit) -> Done:
    """It is let in no more."""
    return await _changed(visit, {"disabled": True})


async def enable(visit: Visit) -> Done:
    """It is let in again."""
    return await _changed(visit, {"disabled": False, **proof(visit)})


async def _changed(visit: Visit, body: dict[str, Any]) -> Done:
    query = visit.given("reason")
    done: Administered[PersonView] = await visit.ask(
        *CHANGE, names=_named(visit), query=query, body=body
    )
    if not done.changed:
        return Done(" ".join(done.notes) or "It was so already.")
    now = done.view
    of = "all tenants" if now.tenants is None else f"tenants {', '.join(now.tenants)}"
    state = "disabled" if now.disabled else "let in"
    return Done(f"{now.name} is {now.role} of {of}, and {state}.", notes=tuple(done.notes))


async def reset(visit: Visit) -> Done:
    """Its sessions and its password end; a link for another one."""
    body = {"codes": visit.form.get("codes") == "1", **proof(visit)}
    done: Administered[Linked] = await visit.ask(*RESET, names=_named(visit), body=body)
    return linked(done, f"{done.view.user.name} is signed out and has no password")


async def sessions(visit: Visit) -> Done:
    """It has to sign in anew."""
    query = visit.given("reason")
    await visit.ask(*SESSIONS, names=_named(visit), query=query)
    return Done(f"{visit.names['user']} is signed out everywhere.")


async def remove(visit: Visit) -> Done:
    """For good."""
    query = visit.given("reason") | trying(visit)
    done: Administered[PersonView] = await visit.ask(*REMOVE, names=_named(visit), query=query)
    would = "would be" if done.dry_run else "is"
    said = f"{done.view.name} {would} removed; what it did stays in the audit log."
    return Done(said, notes=tuple(done.notes), to="" if done.dry_run else "/users")


def _named(visit: Visit) -> dict[str, str]:
    return {"user": visit.names["user"]}


PAGE = Page(
    path="/users/{user}",
    title="One user",
    template="user.html",
    view=view,
    needs=("GET", ONE),
    under="/users",
    actions={
        "change": Action(CHANGE, change, "Change it"),
        "disable": Action(CHANGE, disable, "Disable"),
        "enable": Action(CHANGE, enable, "Enable"),
        "reset": Action(RESET, reset, "Reset"),
        "sessions": Action(SESSIONS, sessions, "Sign it out everywhere"),
        "remove": Action(REMOVE, remove, "Remove", tried=True),
    },
)
