"""A server whose agent is gone for good: changes wait for its word no more."""

from control.problem import RefusedError, missing
from control.store.change import Act
from settings.statements import statements

_SQL = statements(__package__, "speaking")


async def release(act: Act, name: str, reason: str, *, now: int, silent: float) -> str:
    """Forget the agent of a server and what that is to run; its versions stay. `now`: milliseconds
    of the machine's clock; `silent`: seconds (control.pmta_agent_silent). Returns the server's
    name. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["released"], name)
    if row is None:
        raise missing("an agent that keeps PowerMTA's configuration on server", name)
    server, age = row["server"], (now - row["heard"]) / 1000
    if age <= silent:
        raise RefusedError(
            f"the agent {row['agent']} of {server} was heard of {max(0.0, age):.0f} s ago, and "
            "would be back: take `configuration` out of its agent.toml or stop it, and wait for "
            f"{silent:g} s (control.pmta_agent_silent)"
        )
    await act.connection.execute(_SQL["release"], server)
    await act.connection.execute(_SQL["release_desired"], server)
    was = {"agent": row["agent"], "version": row["version"]}
    await act.audit("pmta.release", server, was, None, reason)
    act.note(
        f"what PowerMTA runs on {server} stays as it is, its second wall too, until you load what "
        f"`sendgate pmta config --server {server}` prints: changes do not wait for it any more"
    )
    return str(server)
