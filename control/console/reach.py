"""A tenant that the address of a page names, where no question of the page would notice it."""

from control.console.visit import Visit


async def within_reach(visit: Visit) -> None:
    """Raises RefusedError (404) where it is not one of those of who looks: a page that left it out
    would look like an answer about it."""
    named = visit.query.get("tenant")
    if named and visit.holder.tenants is not None:
        await visit.ask("GET", "/api/v2/tenants/{tenant}", names={"tenant": named})
