"""Pools: pause and resume."""

from control.problem import missing
from control.store.change import Act
from control.tenants.tenant import stopped
from settings.statements import statements

_SQL = statements(__package__, "pool")


async def set_paused(act: Act, name: str, paused: bool) -> str:
    """Stop or go on with a pool's mail; returns its tenant. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["lock"], name)
    if row is None:
        raise missing("pool", name)
    if row["paused"] == paused:
        act.no_change(f"pool {name} is {'paused' if paused else 'not paused'} already")
        return str(row["tenant"])
    await act.connection.execute(_SQL["set_paused"], name, paused)
    action = "pool.pause" if paused else "pool.resume"
    await act.audit(action, name, {"paused": row["paused"]}, {"paused": paused})
    waiting = await act.connection.fetchval(_SQL["waiting"], name)
    act.note(
        stopped(waiting, f"pool resume {name}") if paused else f"{waiting} held messages go on"
    )
    return str(row["tenant"])
