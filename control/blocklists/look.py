"""Looks at blocklists every four hours: keeps what they say, raises alerts, and pauses an IP where
the configuration names the list for that.

Rule: an alert of a listing stays until a list says that it is over: no answer is no answer. Only
addresses of the Internet are asked about; private ones are on no list. A listing pauses an IP once:
who resumes it while the listing stands has the last word.
Failure: what is not asked in one look is asked in the next; a look that is repeated changes nothing
more.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from control.alerts.alert import Raised, settle
from control.blocklists.asking import Found, Round
from control.blocklists.zone import Zone, wanted
from control.problem import RefusedError
from control.published.asking import Servers
from control.values.reason import LONGEST
from control.values.reserved import public, registered
from policy.number import count
from settings.blocklists import Blocklists
from settings.dns import Dns
from settings.model import Settings
from settings.statements import statements

SQL = statements(__package__, "blocklist")

WHO = "blocklists"
"""In the audit log."""
SOURCE = "blocklist"
"""Of its alerts."""
KEPT = 1_000
"""Answers that are written in one statement."""
TOLD = 100
"""Subjects with an alert of their own; those beyond are one alert."""

Pause = Callable[[str, str], Awaitable[None]]
"""Pauses an IP's warm-up, with a reason. Raises RefusedError."""


def servers_of(settings: Settings) -> Servers:
    """Whom to ask."""
    of = settings.blocklists
    return Servers(
        Dns(
            nameservers=of.nameservers or settings.dns.nameservers,
            timeout=of.timeout,
            at_once=of.at_once,
            deadline=settings.dns.deadline,
        )
    )


class BlocklistLook:
    """Of one control node. `over_after`: as `alert.settle` has it, milliseconds; `checked`: told
    how many questions are over."""

    def __init__(
        self,
        pool: Any,
        servers: Servers,
        settings: Blocklists,
        calendar: Callable[[], Awaitable[int]],
        pause: Pause,
        *,
        over_after: int,
        checked: Callable[[int], object],
    ) -> None:
        self._pool = pool
        self._servers = servers
        self._settings = settings
        self._calendar = calendar
        self._pause = pause
        self._over_after = over_after
        self._checked = checked

    async def __call__(self) -> str:
        """One look; in a sentence, what it found. Raises asyncpg's errors."""
        if not self._settings.enabled:
            return "blocklists.enabled is false: no list was asked"
        zones = wanted(self._settings)
        ips = public(row["subject"] for row in await self._pool.fetch(SQL["ips"]))
        domains = registered(row["subject"] for row in await self._pool.fetch(SQL["domains"]))
        found = await self.asked(zones, ips, domains)
        kinds, names = [zone.kind for zone in zones], [zone.name for zone in zones]
        await self._pool.execute(SQL["forget"], kinds, names, [*ips, *domains])
        listed = await self._pool.fetch(SQL["listed"])
        paused = await self._paused(listed)
        raised = _raised(listed) + _silent(zones, found)
        now = await self._calendar()
        async with self._pool.acquire() as connection, connection.transaction():
            await settle(connection, now, SOURCE, raised, over_after=self._over_after)
        unknown = sum(one.verdict.state == "unknown" for one in found)
        return (
            f"{count(len(ips), 'IP')} and {count(len(domains), 'domain')} at "
            f"{count(len(zones), 'list')}: {count(len(listed), 'listing')}, {unknown} not known"
            + "".join(f"; {text}" for text in paused)
        )

    async def asked(self, zones: list[Zone], ips: list[str], domains: list[str]) -> list[Found]:
        """Asks about these, and keeps the answers."""
        at_once = max(1, self._settings.at_once // max(1, len(zones)))
        found = await Round(self._servers, zones, at_once=at_once).ask(ips, domains)
        self._checked(len(found))
        now = await self._calendar()
        for first in range(0, len(found), KEPT):
            await self._keep(now, found[first : first + KEPT])
        return found

    async def _keep(self, now: int, found: list[Found]) -> None:
        rows = [
            (
                *(one.subject, one.zone.name, one.zone.kind, one.verdict.state),
                one.verdict.why if one.verdict.state == "unknown" else "",
                " ".join(one.verdict.codes),
                one.verdict.why if one.verdict.state == "listed" else "",
                one.said.replace("\0", ""),
            )
            for one in found
        ]
        await self._pool.execute(SQL["keep"], now, *map(list, zip(*rows, strict=True)))

    async def _paused(self, listed: Iterable[Any]) -> list[str]:
        """What was paused, and what could not be."""
        due: dict[str, list[Any]] = {}
        for row in listed:
            if row["zone"] in self._settings.pausing and row["paused"] is None:
                due.setdefault(row["subject"], []).append(row)
        rows = await self._pool.fetch(SQL["standing"], list(due)) if due else []
        standing = {row["subject"] for row in rows}
        done: list[str] = []
        for subject, rows in due.items():
            zones = [row["zone"] for row in rows]
            if subject not in standing:
                why = "; ".join(f"{row['zone']} {_why(row)}" for row in rows)
                try:
                    await self._pause(subject, f"on a blocklist: {why}"[:LONGEST])
                except RefusedError as error:
                    done.append(f"{subject} could not be paused: {error.line()}")
                    continue
                done.append(f"{subject} was paused, for {', '.join(zones)}")
            await self._pool.execute(SQL["paused"], subject, zones, await self._calendar())
        return done


def _why(row: Any) -> str:
    return ", ".join(row["codes"]) + (f" ({row['meaning']})" if row["meaning"] else "")


def _raised(listed: Iterable[Any]) -> list[Raised]:
    """One alert for each IP or domain that is listed somewhere."""
    by_subject: dict[str, list[Any]] = {}
    for row in listed:
        by_subject.setdefault(row["subject"], []).append(row)
    raised = [
        Raised(
            key=f"blocklist:{subject}",
            severity="critical" if rows[0]["kind"] == "ip" else "warning",
            what=f"{subject} is on {count(len(rows), 'blocklist')}: "
            + "; ".join(f"{row['zone']} {_why(row)}" for row in rows),
            next=f"sendgate blocklist list --subject {subject}",
        )
        for subject, rows in list(by_subject.items())[:TOLD]
    ]
    if (more := len(by_subject) - TOLD) > 0:
        raised.append(
            Raised(
                key="blocklist",
                severity="critical",
                what=f"{more} more IPs and domains are on blocklists",
                next="sendgate blocklist list --state listed",
            )
        )
    return raised


def _silent(zones: Iterable[Zone], found: Iterable[Found]) -> list[Raised]:
    """One alert for each list that told nothing about anybody."""
    trouble: dict[str, str] = {}
    answered: set[str] = set()
    for one in found:
        if one.verdict.state == "unknown":
            trouble[one.zone.name] = one.verdict.why
        else:
            answered.add(one.zone.name)
    return [
        Raised(
            key=f"blocklist:{zone.name}",
            severity="info",
            what=f"{zone.name} told nothing about any of ours: {trouble[zone.name]}",
            next="name a resolver of your own in blocklists.nameservers, or leave the list out of "
            "blocklists.zones",
        )
        for zone in zones
        if zone.name in trouble and zone.name not in answered
    ]
