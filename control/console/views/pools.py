"""Pools of a tenant: added, paused, resumed, led elsewhere, removed. Forms of its page."""

from typing import Any

from control.console.page import Action, Done
from control.console.told import told, trying
from control.console.visit import Visit
from control.plan.changed import Changed, Removed

POOLS = "/api/v2/pools"
ONE = f"{POOLS}/{{pool}}"


async def add(visit: Visit) -> Done:
    """Without IPs; tried first."""
    body = visit.given("name", "overflow") | {"tenant": visit.names["tenant"]}
    done: Changed[Any] = await visit.ask("POST", POOLS, query=trying(visit), body=body)
    name = done.view.name
    return told(done, f"Pool {name} would be there, without IPs.", f"Pool {name} is there.")


async def change(visit: Visit) -> Done:
    """Where it overflows to, and its rates; an empty field is none. Tried first."""
    rates = visit.numbers("per_minute", "per_hour")
    body: dict[str, Any] = {name: rates.get(name) for name in ("per_minute", "per_hour")}
    body["overflow"] = visit.form.get("overflow", "").strip() or None
    body |= visit.given("reason")
    if visit.form.get("default"):
        body["default"] = True
    done: Changed[Any] = await visit.ask(
        "PATCH", ONE, names=await _named(visit), query=trying(visit), body=body
    )
    return told(done, f"Pool {done.view.name} would change:", f"Pool {done.view.name} is changed.")


async def pause(visit: Visit) -> Done:
    """Its mail waits; tried first."""
    done: Changed[Any] = await visit.ask(
        "POST", f"{ONE}/pause", names=await _named(visit), query=trying(visit)
    )
    return told(
        done, f"Mail of pool {done.view.name} would wait.", f"Mail of pool {done.view.name} waits."
    )


async def resume(visit: Visit) -> Done:
    """It goes on; tried first."""
    done: Changed[Any] = await visit.ask(
        "POST", f"{ONE}/resume", names=await _named(visit), query=trying(visit)
    )
    name = done.view.name
    return told(done, f"Mail of pool {name} would go on.", f"Mail of pool {name} goes on.")


async def remove(visit: Visit) -> Done:
    """Refused with what is in the way; tried first."""
    query = {**trying(visit), "reason": visit.form.get("reason", "").strip()}
    done: Changed[Removed] = await visit.ask("DELETE", ONE, names=await _named(visit), query=query)
    return told(done, f"Pool {done.view.name} would be gone.", f"Pool {done.view.name} is gone.")


async def _named(visit: Visit) -> dict[str, str]:
    """Which one; of the tenant whose page it is. Raises RefusedError."""
    names = {"pool": visit.form.get("pool", "")}
    await visit.ask("GET", ONE, names=names, query={"tenant": visit.names["tenant"]})
    return names


ACTIONS = {
    "add_pool": Action(("POST", POOLS), add, "Add the pool", tried=True),
    "set_pool": Action(("PATCH", ONE), change, "Change the pool", tried=True),
    "pause_pool": Action(("POST", f"{ONE}/pause"), pause, "Pause the pool", tried=True),
    "resume_pool": Action(("POST", f"{ONE}/resume"), resume, "Resume the pool", tried=True),
    "remove_pool": Action(("DELETE", ONE), remove, "Remove the pool", tried=True),
}
