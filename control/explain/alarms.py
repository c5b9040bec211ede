"""What is wrong, as alerts: from one look, runs of jobs, days that are over, decisions of warm-up.
Pure.

A pool that has used its day up is wrong only where mail waits for it.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from control.alerts.alert import Raised, Severity
from control.consolidation.consolidation import Day
from control.explain.trouble import Trouble
from control.health.health import HealthView
from control.jobs.run import RunView
from policy.ledger.admin import IpUsage
from policy.model import UNLIMITED, IpState
from policy.number import agree, count
from policy.plan import Generation

_GRAVER = ("info", "warning", "critical")


def of_troubles(troubles: Iterable[Trouble]) -> list[Raised]:
    """One for each key: its sentences together, as grave as the gravest."""
    groups: dict[str, list[Trouble]] = {}
    for one in troubles:
        groups.setdefault(one.key, []).append(one)
    return [
        Raised(
            key=key,
            severity=max((one.severity for one in group), key=_GRAVER.index),
            what="; ".join(one.what for one in group),
            next=group[0].next,
        )
        for key, group in groups.items()
    ]


def of_health(views: Iterable[HealthView], keys: Container[str]) -> list[Raised]:
    """Parts that only the look of every five minutes sees. `keys`: of what is told already."""
    found = []
    for one in views:
        key = f"{one.service}:{one.name}"
        if one.healthy or one.service not in _SEEN_HERE or key in keys:
            continue
        graver: Severity = "critical" if one.service == "pmta" else "warning"
        what = f"{_SEEN_HERE[one.service]} {one.name}: {one.detail}"
        found.append(Raised(key=key, severity=graver, what=what, next="sendgate status"))
    return found


_SEEN_HERE = {"pmta": "PowerMTA", "disk": "disks of"}


def of_jobs(runs: Iterable[RunView]) -> list[Raised]:
    """Jobs that failed more than once, or were given up: of each the last."""
    latest = {run.job: run for run in runs}
    return [
        Raised(
            key=f"job:{run.job}",
            severity="critical" if run.state == "dead" else "warning",
            what=(
                f"job {run.job} of {run.due} {_how(run)} {count(run.attempts, 'time')}: {run.said}"
            ),
            next=f"sendgate job run {run.job} --due {run.due}",
        )
        for run in latest.values()
    ]


def _how(run: RunView) -> str:
    return "was given up: it failed" if run.state == "dead" else "failed"


def of_days(days: Iterable[Day]) -> list[Raised]:
    """Days of which the ledger and accounting tell different things."""
    return [
        Raised(
            key=f"day:{day.day}",
            severity="warning",
            what=f"the ledger and accounting differ: {day.sentence()}",
            next="sendgate warmup days, sendgate accounting status",
        )
        for day in days
        if day.alarming
    ]


def spent_pools(
    plan: Generation, usage: Mapping[str, IpUsage], waiting: Mapping[str, int]
) -> list[Raised]:
    """Pools whose IPs have no allowance left today, while mail waits for them."""
    found = []
    for pool in plan.pools:
        messages = waiting.get(pool.name, 0)
        ips = [plan.vmta[name] for name in pool.members]
        ips = [ip for ip in ips if ip.state in (IpState.WARMING, IpState.ACTIVE)]
        if pool.paused or not messages or not ips or any(ip.daily == UNLIMITED for ip in ips):
            continue
        used = {ip.ip: _used(usage.get(ip.ip)) for ip in ips}
        quota = {ip.ip: int(ip.daily) for ip in ips}
        if any(used[ip] < quota[ip] for ip in used):
            continue
        what = (
            f"pool {pool.name} of tenant {pool.tenant} has used up its day: "
            f"{sum(used.values())} of {sum(quota.values())} recipients over "
            f"{count(len(ips), 'IP')}; {count(messages, 'message')} "
            f"{agree(messages, 'waits', 'wait')} until 00:00 UTC"
        )
        found.append(
            Raised(
                key=f"pool:{pool.name}",
                severity="warning",
                what=what,
                next=f"sendgate hold forecast --tenant {pool.tenant}",
            )
        )
    return found


def _used(counted: IpUsage | None) -> int:
    return 0 if counted is None else counted.relayed + max(counted.opening, 0)


def of_decision(row: Mapping[str, Any], key: str) -> Raised:
    """A decision of warm-up; `key` begins its key."""
    where = row["ip"] or row["pool"]
    return Raised(
        key=":".join(filter(None, ("warmup", key, where, row["provider"]))),
        severity=row["severity"],
        what=row["sentence"],
        next=f"sendgate warmup decisions, sendgate stats --ip {row['ip']}"
        if row["ip"]
        else "sendgate warmup decisions",
    )
