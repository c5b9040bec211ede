"""How a tenant's mail gets in: logins with their passwords, and networks. Forms of its page.

Rule: a password is never shown and never sent back to a page; what is tried with one asks for it
once more.
"""

from typing import Any

from control.console.page import Action, Done
from control.console.told import forced, told, trying
from control.console.visit import Visit
from control.plan.changed import Changed, Removed
from control.tenants.login import LoginView

ONE = "/api/v2/tenants/{tenant}"
LOGINS, LOGIN, NETWORKS = f"{ONE}/logins", f"{ONE}/login", f"{ONE}/networks"
ROTATION = f"{LOGIN}/rotation"


async def add_login(visit: Visit) -> Done:
    """One more."""
    body = {**visit.given("login"), "password": visit.form.get("password", "")}
    done: Changed[LoginView] = await visit.ask("POST", LOGINS, names=_named(visit), body=body)
    return told(done, "", f"Login {done.view.name} lets its client in.")


async def remove_login(visit: Visit) -> Done:
    """Nobody gets in by it any more; tried first."""
    query = {"login": visit.form.get("login", ""), **forced(visit)}
    done: Changed[Removed] = await visit.ask("DELETE", LOGINS, names=_named(visit), query=query)
    name = done.view.name
    return told(done, f"Nobody would get in by login {name}.", f"Login {name} is gone.")


async def rotate(visit: Visit) -> Done:
    """Its next password, the one of now good beside it for a while; `hours` of the form."""
    body: dict[str, Any] = {"password": visit.form.get("password", ""), **visit.given("reason")}
    hours = visit.numbers("hours").get("hours")
    if hours is not None:
        body["keep"] = hours * 3600 if isinstance(hours, int) else hours
    done: Changed[LoginView] = await visit.ask(
        "POST", ROTATION, names=_named(visit), query=_which(visit), body=body
    )
    said = f"Login {done.view.name} has its next password; both are good for now."
    return told(done, "", said)


async def call_off(visit: Visit) -> Done:
    """The new password goes; tried first."""
    query = _which(visit) | trying(visit)
    done: Changed[LoginView] = await visit.ask("DELETE", ROTATION, names=_named(visit), query=query)
    name = done.view.name
    return told(
        done,
        f"The former password would be the one of login {name} again.",
        f"The former password is the one of login {name} again.",
    )


async def finish(visit: Visit) -> Done:
    """The former password ends at once; tried first."""
    query = _which(visit) | trying(visit)
    done: Changed[LoginView] = await visit.ask(
        "POST", f"{ROTATION}/finish", names=_named(visit), query=query
    )
    name = done.view.name
    return told(
        done,
        f"The former password of login {name} would end now: who has it is turned away.",
        f"The former password of login {name} has ended.",
    )


async def add_network(visit: Visit) -> Done:
    """One that names the tenant without a login; tried first."""
    done: Changed[list[str]] = await visit.ask(
        "POST", NETWORKS, names=_named(visit), query=trying(visit), body=visit.given("network")
    )
    network = visit.form.get("network", "").strip()
    return told(
        done,
        f"Whoever connects from {network} would send as this tenant, without a password.",
        f"Whoever connects from {network} sends as this tenant.",
    )


async def remove_network(visit: Visit) -> Done:
    """Tried first."""
    query = {"network": visit.form.get("network", ""), **forced(visit)}
    done: Changed[Removed] = await visit.ask("DELETE", NETWORKS, names=_named(visit), query=query)
    name = done.view.name
    return told(done, f"{name} would name the tenant no more.", f"{name} names nobody any more.")


def _named(visit: Visit) -> dict[str, str]:
    return {"tenant": visit.names["tenant"]}


def _which(visit: Visit) -> dict[str, str]:
    return {"login": visit.form.get("login", "")}


ACTIONS = {
    "add_login": Action(("POST", LOGINS), add_login, "Add the login"),
    "remove_login": Action(("DELETE", LOGINS), remove_login, "Remove the login", tried=True),
    "rotate": Action(
        *(("POST", ROTATION), rotate, "Give it its next password"),
        unseen="the login is typed; its password of now stays good",
    ),
    "call_off": Action(("DELETE", ROTATION), call_off, "Call the new password off", tried=True),
    "finish": Action(("POST", f"{ROTATION}/finish"), finish, "End the former password", tried=True),
    "add_network": Action(("POST", NETWORKS), add_network, "Add the network", tried=True),
    "remove_network": Action(
        ("DELETE", NETWORKS), remove_network, "Remove the network", tried=True
    ),
}
