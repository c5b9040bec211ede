"""Which jobs there are, put together: when each is due, and what it calls."""

import os
import socket
import time
from datetime import UTC, datetime

from control.accounting.status import StreamView, streams
from control.alerts import alert
from control.blocklists import look as blocklists
from control.blocklists.look import BlocklistLook, servers_of
from control.bypass import charging as around
from control.consolidation.consolidation import Consolidation
from control.health.disks import written
from control.health.look import HealthLook
from control.jobs import run
from control.jobs.job import DAY, HOUR, MINUTE, Job
from control.jobs.runner import Runner
from control.messages import sweep as outcomes
from control.parts import Parts
from control.pmta import telling
from control.pmta.standing import wrong
from control.pmta.told import ToldView
from control.progress.began import Began
from control.progress.streak import Streaks
from control.published.asking import Servers
from control.published.daily import DailyCheck, read_by_powermta
from control.rotation.looking import RotationLook
from control.statistics.sweep import sweep
from control.store import once
from control.tenants import rotation
from control.users import attempt, audit, session
from control.warmup import replies
from control.warmup.byhand import HandAct, do
from policy.limits import day_of
from policy.number import count

ALERTS_KEPT = 365 * DAY
"""Milliseconds for which alerts that ended are kept."""
RUNS_KEPT = 90 * DAY
"""Milliseconds for which runs of jobs are kept."""
REPLIES_KEPT = 90 * DAY
"""Milliseconds for which it is kept what providers said: warm-up looks at thirty days."""


def timetable(parts: Parts) -> Runner:
    """Of one control node."""
    steps = _Steps(parts)
    node = f"{socket.gethostname()}:{os.getpid()}"
    jobs = [
        Job(
            name="health",
            what="whether PostgreSQL, Valkey, gateways, each PowerMTA and accounting are well, and "
            "disks have room",
            every=5 * MINUTE,
            work=_Health(parts),
        ),
        Job(
            name="dkim-rotation",
            what="new DKIM keys that DNS shows begin to sign, former ones go a while later",
            every=5 * MINUTE,
            work=_Rotation(parts),
        ),
        Job(
            name="dns",
            what="what DNS has of each sending domain, PTR records of its IPs included",
            every=DAY,
            at=5 * HOUR,
            work=_Dns(parts),
        ),
        Job(
            name="blocklists",
            what="which DNS blocklists have our IPs and sending domains",
            every=4 * HOUR,
            work=_Blocklists(parts),
        ),
        Job(
            name="warmup",
            what="IPs and providers at them take the stages that the day before has earned or lost",
            every=DAY,
            work=steps,
        ),
        Job(
            name="warmup-late",
            what="the same for those whose accounting came after midnight, behind consolidation",
            every=DAY,
            at=31 * MINUTE,
            work=steps,
        ),
        Job(
            name="consolidation",
            what="days that are over go from the ledger to PostgreSQL, compared with accounting",
            every=DAY,
            at=30 * MINUTE,
            each=True,
            work=_Consolidate(parts),
        ),
        Job(
            name="mailboxes",
            what="whether each mailbox reached its minimum on the day that is over: days in a row; "
            "forgets those that have been idle for a month",
            every=DAY,
            at=35 * MINUTE,
            each=True,
            work=_Streaks(parts),
        ),
        Job(
            name="cleanup",
            what="deletes what is older than it is kept: records, what became of messages, mail "
            "around the gateways, detailed sums, suppressions and sessions that ended, runs of "
            "jobs",
            every=DAY,
            at=3 * HOUR,
            work=_Cleanup(parts),
        ),
    ]
    return Runner(parts.pool, jobs, parts.calendar, node)


class _Health:
    def __init__(self, parts: Parts) -> None:
        settings, calendar = parts.settings, parts.calendar
        self._calendar = calendar

        async def read_so_far() -> list[StreamView]:
            return await streams(parts.pool, settings.accounting, await calendar())

        async def told() -> list[ToldView]:
            return await telling.told(parts.pool, await calendar())

        silent = settings.control.pmta_agent_silent
        self._look = HealthLook(
            *(parts.pool, parts.admin, parts.opening, parts.publisher, read_so_far, told),
            lambda: wrong(parts.pool, round(time.time() * 1000), silent),
            late=settings.accounting.carry_late,
            paths=written(settings),
            node=socket.gethostname(),
        )

    async def __call__(self, _: int) -> str:
        return await self._look(await self._calendar())


class _Rotation:
    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        self._look = RotationLook(
            *(parts.pool, parts.publisher, Servers(settings.dns), settings.dns, parts.calendar),
            signs=bool(settings.control.pmta_keys),
            over_after=round(settings.alerts.over_after * 1000),
        )

    async def __call__(self, _: int) -> str:
        return await self._look()


class _Dns:
    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        self._look = DailyCheck(
            *(parts.pool, parts.view, Servers(settings.dns), read_by_powermta(settings)),
            parts.calendar,
            over_after=round(settings.alerts.over_after * 1000),
        )

    async def __call__(self, _: int) -> str:
        return await self._look()


class _Blocklists:
    def __init__(self, parts: Parts) -> None:
        self._look = blocklist_look(parts)

    async def __call__(self, _: int) -> str:
        return await self._look()


def blocklist_look(parts: Parts) -> BlocklistLook:
    """Of the process's plan and database."""

    async def pause(ip: str, reason: str) -> None:
        wanted = HandAct(action="pause", reason=reason)
        warmup = parts.settings.warmup
        await parts.publisher.change(blocklists.WHO, lambda act: do(act, ip, wanted, warmup=warmup))

    return BlocklistLook(
        *(parts.pool, servers_of(parts.settings), parts.settings.blocklists, parts.calendar),
        pause,
        over_after=round(parts.settings.alerts.over_after * 1000),
        checked=parts.done.checked,
    )


class _Consolidate:
    def __init__(self, parts: Parts) -> None:
        self._calendar = parts.calendar
        self._consolidation = consolidation(parts)

    async def __call__(self, due: int) -> str:
        days = await self._consolidation.night(day_of(due) - 1, await self._calendar())
        return "; ".join(day.sentence() for day in days if day.sent or day.difference) or "no mail"


def consolidation(parts: Parts) -> Consolidation:
    """Of the process's ledger."""
    bounce_after = parts.settings.control.pmta_bounce_after
    return Consolidation(parts.pool, parts.admin, bounce_after=bounce_after)


class _Streaks:
    def __init__(self, parts: Parts) -> None:
        self._calendar = parts.calendar
        self._streaks = Streaks(parts.pool, parts.admin, parts.publisher.current)
        self._began = Began(parts.pool, parts.admin, parts.publisher.current)

    async def __call__(self, due: int) -> str:
        today = day_of(await self._calendar())
        said = await self._streaks.count(day_of(due) - 1, today)
        await self._began.keep(today)
        return said


class _Cleanup:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, due: int) -> str:
        parts, kept = self._parts, self._parts.settings.statistics
        await parts.intake.feed.tidy(due)
        sums = await sweep(parts.pool, due, kept.kept, kept.detail_kept)
        gone = await parts.suppressions.sweep()
        await outcomes.sweep(parts.pool, due, parts.settings.control.outcomes_kept)
        await around.sweep(parts.pool, due, parts.settings.accounting.records_kept)
        await replies.sweep(parts.pool, day_of(due - REPLIES_KEPT))
        await run.sweep(parts.pool, due - RUNS_KEPT)
        await alert.sweep(parts.pool, due - ALERTS_KEPT)
        kept_since = datetime.fromtimestamp(due / 1000 - parts.settings.control.audit_kept, UTC)
        await audit.forget(parts.pool, kept_since)
        await attempt.sweep(parts.pool)
        await session.sweep(parts.pool)
        await once.sweep(parts.pool, parts.settings.control.idempotency_kept)
        if await rotation.ended(parts.pool, due):
            await parts.publisher.change("control", lambda act: rotation.sweep(act, due))
        return (
            f"deleted {count(sums, 'sum')} and {count(gone, 'suppression')} that ended; "
            f"records, outcomes and mail "
            "around the gateways of old days"
        )


class _Steps:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, _: int) -> str:
        # A run that was missed looks at today: a window has what came meanwhile, and no more than
        # one stage is taken.
        new = await self._parts.warmup.look(turn=True)
        return f"all IPs were looked at: {count(new, 'new decision')}"
