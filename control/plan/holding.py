"""Servers that were put back by hand, as a change meets them.

Rule: such a server runs its version until somebody applies what the plan says. What gateways alone
need is changed meanwhile, and waits there; a change by which a gateway would name a VirtualMTA that
this version lacks is refused, and says what ends the rollback.
"""

import ipaddress

from control import kinds
from control.plan.agents import Agents
from control.plan.compiler import Made
from control.plan.latest import Memory
from control.plan.stored import Last
from control.pmta import desired
from control.pmta.desired import Desired
from control.pmta.known import VIRTUAL_MTA, Fact, facts, told, virtual_mtas
from control.pmta.running import known_to_run
from control.pmta.standing import standings
from control.pmta.version import read
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection
from policy.plan import Generation


def named_by(generation: Generation | None, server: str) -> frozenset[Fact]:
    """What gateways name there, as `facts` has it."""
    return frozenset(
        (VIRTUAL_MTA, v.name, str(ipaddress.ip_address(v.ip)))
        for v in (generation.vmtas if generation is not None else ())
        if v.server == server
    )


async def note_kept(
    agents: Agents, act: Act, made: Made, memory: Memory, last: Last | None
) -> None:
    """What of a plan does not reach PowerMTA, a sentence for each server that was put back.
    `last`: the plan before. Raises RefusedError."""
    connection = act.connection
    if not made.reaches_powermta:
        return
    for wanted in await desired.held(connection):
        # One of another version of Sendgate cannot be read, and says nothing.
        known = last is not None and await memory.readable(connection, last)
        before = (await memory.latest(connection, last)).generation if last and known else None
        if said := await _kept(agents, connection, made, before, wanted):
            act.note(said)


async def _kept(
    agents: Agents, connection: Connection, made: Made, before: Generation | None, wanted: Desired
) -> str:
    server = wanted.server
    [standing] = await standings(connection, [server])
    new = named_by(made.generation, server) - named_by(before, server)
    version = await read(connection, server, wanted.version)
    has = facts(version.fileset) if version is not None else frozenset[Fact]()
    if lacks := new - has:
        raise RefusedError(
            f"{server} lacks {told(lacks)}: {wanted.instead}, and stays so. Nothing was changed; "
            f"`{standing.apply}` ends that, then try again",
            alone="PowerMTA was put back to an older configuration: nothing was changed",
        )
    if new and new - await known_to_run(connection, server):
        raise RefusedError(
            f"{server} was not heard to run version {wanted.version} with {told(new)} "
            f"({wanted.instead}): nothing was changed; try again",
            kind=kinds.PMTA_SILENT,
        )
    files = await agents.files(made.generation, made.beside, server)
    if version is not None and version.digest == files.digest:
        return ""
    unknown = facts(files) - has - virtual_mtas(facts(files))
    lacking = f" (it does not know {told(unknown)})" if unknown else ""
    return (
        f"{server} keeps version {wanted.version}{lacking}: {wanted.instead}; this change waits "
        f"there until `{standing.apply}`"
    )
