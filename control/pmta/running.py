"""What a PowerMTA server is known to run."""

from control.pmta.known import Fact, facts
from control.pmta.standing import standings
from control.pmta.version import Version, read
from control.store.database import Connection


async def known_to_run(connection: Connection, server: str) -> frozenset[Fact]:
    """What PowerMTA knows there, as its agent said last; nothing where that is not sure."""
    version = await version_run(connection, server)
    return frozenset() if version is None else facts(version.fileset)


async def version_run(connection: Connection, server: str) -> Version | None:
    """The version that PowerMTA runs there, as its agent said last; None where that is not sure.

    A word that is older than the offer which the agent was given last says nothing: it may have
    brought that one into force since."""
    for one in await standings(connection, [server]):
        said = one.said
        if said is None or said.state not in ("running", "failed") or one.said_of < one.fetched:
            continue
        version = await read(connection, server, said.running)
        if version is not None and version.digest == said.digest:
            return version
    return None
