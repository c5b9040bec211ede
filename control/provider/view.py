"""Whose mail a domain's is counted as, and why, for people."""

from typing import Annotated, Any

import msgspec

from control.values.host import domain_name
from control.values.provider import ProviderText, known_provider
from control.values.query import FoundText, Limit
from control.values.wanted import meant
from policy.isotime import instant
from policy.provider import OTHER, named
from settings.statements import statements

_SQL = statements(__package__, "provider")


class ProviderQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which learnt domains, in their order."""

    provider: Annotated[
        ProviderText | None,
        meant(f"Only of this provider; {OTHER} for those that are nobody's."),
    ] = None
    after: Annotated[FoundText | None, meant("Begin behind this domain, the last one seen.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient domain. Times are ISO time, empty for never."""

    domain: str
    provider: str
    """Which its mail counts under."""
    why: str
    """`table`: ours has it; `mx`: DNS said so; `dsnMta`: PowerMTA's records did; empty: nobody
    knows it."""
    host: str = ""
    """The server that it was known by."""
    since: str = ""
    """When it came under this provider."""
    seen: str = ""
    """About when its last record was written."""
    checked: str = ""
    """When DNS was asked last."""
    trouble: str = ""
    """Why the last look-up said nothing."""
    next: str = ""
    """When DNS is asked again."""
    records: str = ""
    """The provider that its last records name."""
    in_a_row: int = 0
    """How many of them."""


async def provider_view(pool: Any, text: str) -> ProviderView:
    """Raises RefusedError for what is no domain."""
    domain = domain_name("recipient", text)
    ours = named(domain)
    if ours is not None:
        return ProviderView(domain=domain, provider=ours, why="table")
    row = await pool.fetchrow(_SQL["get"], domain)
    return ProviderView(domain=domain, provider=OTHER, why="") if row is None else _view(row)


async def provider_page(pool: Any, wanted: ProviderQuery) -> list[ProviderView]:
    """Raises RefusedError."""
    provider = None if wanted.provider is None else known_provider(wanted.provider)
    rows = await pool.fetch(_SQL["list"], wanted.after or "", provider, wanted.limit)
    return [_view(row) for row in rows]


def _moment(milliseconds: int) -> str:
    return instant(milliseconds) if milliseconds else ""


def _view(row: Any) -> ProviderView:
    return ProviderView(
        domain=row["domain"],
        provider=row["provider"] or OTHER,
        why=row["why"],
        host=row["host"],
        since=_moment(row["since"]),
        seen=_moment(row["seen"]),
        checked=_moment(row["checked"]),
        trouble=row["trouble"],
        next=_moment(row["next"]),
        records=row["hint"],
        in_a_row=row["hints"],
    )
