"""What blocklists say of our IPs and sending domains, for people."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from control.blocklists.answer import State
from control.blocklists.look import SQL, BlocklistLook
from control.blocklists.zone import Kind, wanted
from control.problem import RefusedError, missing
from control.values.query import CONTROLS, FoundText, Limit
from control.values.reserved import public, registered
from control.values.wanted import meant
from policy.isotime import instant
from settings.blocklists import Blocklists

_PART = f"[^@{CONTROLS}]{{1,300}}"


class BlocklistQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which answers, by IP or domain and list."""

    subject: Annotated[FoundText | None, meant("Only of this IP or domain.")] = None
    zone: Annotated[FoundText | None, meant("Only of this list.")] = None
    state: Annotated[
        Literal["listed", "clean", "unknown"] | None,
        meant("Only what the last look found so."),
    ] = None
    after: Annotated[
        Annotated[str, msgspec.Meta(pattern=f"^{_PART}@{_PART}$")] | None,
        meant("Begin behind this SUBJECT@ZONE, the last one seen."),
    ] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class BlocklistAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one list says of one IP or domain. Times are ISO time, empty for never."""

    subject: str
    zone: str
    kind: Kind
    state: State
    """Of the last look; `unknown`: it did not answer."""
    asked: str
    trouble: str = ""
    """Why it is unknown."""
    known: str = ""
    """What it said when it answered last."""
    since: str = ""
    """Since when it has said that."""
    answered: str = ""
    """When it answered last."""
    codes: list[str] = []
    """The addresses it answered with."""
    meaning: str = ""
    """What they mean."""
    said: str = ""
    """Its own text, as it stands there."""


class ZoneView(msgspec.Struct, frozen=True, kw_only=True):
    """A list that is asked."""

    name: str
    kind: Kind
    pausing: bool
    """Whether a listing pauses an IP (`blocklists.pausing`)."""
    note: str


def _shown(row: Any) -> BlocklistAnswer:
    return BlocklistAnswer(
        subject=row["subject"],
        zone=row["zone"],
        kind=row["kind"],
        state=row["state"],
        asked=instant(row["asked"]),
        trouble=row["trouble"],
        known=row["known"] or "",
        since=instant(row["since"]) if row["since"] else "",
        answered=instant(row["answered"]) if row["answered"] else "",
        codes=list(row["codes"]),
        meaning=row["meaning"],
        said=row["said"],
    )


class BlocklistViews:
    """Lists them, and asks about one now."""

    def __init__(self, pool: Any, look: Callable[[], BlocklistLook], settings: Blocklists) -> None:
        self._pool = pool
        self._look = look
        self._settings = settings

    async def page(self, query: BlocklistQuery) -> list[BlocklistAnswer]:
        """By IP or domain and list."""
        after, zone = None, None
        if query.after is not None:
            after, _, zone = query.after.rpartition("@")
        asked = (query.zone, query.subject, query.state, after, zone, query.limit)
        return [_shown(row) for row in await self._pool.fetch(SQL["page"], *asked)]

    def zones(self) -> list[ZoneView]:
        """Those that are asked."""
        return [
            ZoneView(
                name=z.name, kind=z.kind, note=z.note, pausing=z.name in self._settings.pausing
            )
            for z in wanted(self._settings)
        ]

    async def check(self, subject: str) -> list[BlocklistAnswer]:
        """Asks about an IP or a sending domain of ours now. Raises RefusedError."""
        if not self._settings.enabled:
            raise RefusedError("blocklists.enabled is false: no list is asked")
        kind = await self._pool.fetchval(SQL["kind"], subject)
        if kind is None:
            raise missing("IP or sending domain", subject)
        ips = public([subject]) if kind == "ip" else []
        domains = registered([subject]) if kind == "domain" else []
        if not ips and not domains:
            raise RefusedError(f"{subject} is none of the Internet's: no list has it")
        await self._look().asked(wanted(self._settings), ips, domains)
        return await self.page(BlocklistQuery(subject=subject, limit=1_000))
