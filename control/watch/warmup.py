"""What users of warm-up watch, by the names they know: mailboxes, what was sent, and one figure for
how everything is.

Rule: exactly these names, all gauges, nothing appended. The address of a mailbox is a label for
`statistics.mailboxes_named` of the fullest and as many of the emptiest, never for all.
"""

from collections.abc import Iterator, Sequence

import msgspec
import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from control.health.health import HealthView
from control.progress.day import Fill, Sums
from control.progress.progress import Mail, Snapshot
from control.watch.declared import (
    COMPLETION,
    FAILED_TODAY,
    MAILBOX_FILL,
    MAILBOXES,
    MAILBOXES_ACTIVE,
    SENT_TODAY,
    SYSTEM,
    THROUGHPUT,
    gauge,
)
from control.watch.figures import Figures
from policy.isotime import instant
from policy.number import count

CRITICAL, DEGRADED, HEALTHY = 0, 1, 2
LEAST_COMPLETION = 50.0
"""Per cent under which all is degraded."""
MOST_FAILURES = 10.0
"""Per cent of what was tried, over which it is."""
ACCOUNTING_LATE = 3_600.0
"""Seconds of calendar time behind which it is."""


class FillView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the fullest or of the emptiest mailboxes."""

    tenant: str
    mailbox: str
    fill: float
    """Per cent of its quota that it sent."""


class WarmupMetrics(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename=lambda name: name if name in ("at", "why") else f"warmup_{name}",
):
    """The figures, under the metrics' own names."""

    at: str | None
    """When mailboxes were looked at, ISO time; null: their figures are too old to be shown, and
    null, too."""
    total_mailboxes: int | None
    active_mailboxes: int | None
    emails_sent_today: int | None
    emails_failed_today: int | None
    throughput_per_hour: float | None
    quota_completion_rate: float | None
    system_health: int
    why: list[str]
    """What keeps that from 2, in sentences."""
    mailbox_quota_fill: list[FillView]


def warmup_metrics(
    look: Snapshot | None,
    figures: Figures,
    health: Sequence[HealthView] | None,
    tenant: str | None = None,
) -> WarmupMetrics:
    """Of all, or of a tenant. `health`: None where PostgreSQL does not say."""
    sums, mail = _of(look, tenant)
    state, why = system_health(figures, health, sums, mail)
    return WarmupMetrics(
        at=None if look is None else instant(look.at),
        total_mailboxes=None if sums is None else sums.total,
        active_mailboxes=None if sums is None else sums.active,
        emails_sent_today=None if mail is None else mail.sent,
        emails_failed_today=None if mail is None else mail.failed,
        throughput_per_hour=None if mail is None else round(mail.an_hour, 1),
        quota_completion_rate=None if sums is None else round(sums.completion, 2),
        system_health=state,
        why=why,
        mailbox_quota_fill=[]
        if sums is None
        else [
            FillView(tenant=one.tenant, mailbox=one.mailbox, fill=round(one.fill, 2))
            for one in named(sums)
        ],
    )


def _of(look: Snapshot | None, tenant: str | None) -> tuple[Sums | None, Mail | None]:
    if look is None:
        return None, None
    if tenant is None:
        return look.sums, look.all_mail
    day = look.days.get(tenant)
    return (Sums() if day is None else day.sums), look.mail.get(tenant, Mail())


def text(metrics: WarmupMetrics) -> str:
    """As Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(Families(list(families(metrics))))
    return prometheus_client.generate_latest(registry).decode()


class Families(Collector):
    """Of figures that are known."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found


def families(of: WarmupMetrics) -> Iterator[GaugeMetricFamily]:
    """Each of them; what is not known is not there."""
    for declared, value in (
        (MAILBOXES, of.total_mailboxes),
        (MAILBOXES_ACTIVE, of.active_mailboxes),
        (SENT_TODAY, of.emails_sent_today),
        (FAILED_TODAY, of.emails_failed_today),
        (THROUGHPUT, of.throughput_per_hour),
        (COMPLETION, of.quota_completion_rate),
        (SYSTEM, of.system_health),
    ):
        if value is not None:
            yield gauge(declared, {(): value})
    fills: dict[tuple[str, ...], float] = {
        (one.tenant, one.mailbox): one.fill for one in of.mailbox_quota_fill
    }
    yield gauge(MAILBOX_FILL, fills)


def named(sums: Sums) -> list[Fill]:
    """The fullest, then the emptiest of the others."""
    return list(dict.fromkeys([*sums.top, *sums.worst]))


def system_health(
    figures: Figures, health: Sequence[HealthView] | None, sums: Sums | None, mail: Mail | None
) -> tuple[int, list[str]]:
    """(0 critical, 1 degraded or 2 healthy, what is amiss). Pure."""
    grave = list(_critical(figures, health))
    amiss = list(_degraded(figures, health, sums, mail))
    if grave:
        return CRITICAL, [*grave, *amiss]
    return (DEGRADED if amiss else HEALTHY), amiss


def _critical(figures: Figures, health: Sequence[HealthView] | None) -> Iterator[str]:
    if not figures.open:
        yield "the ledger is not open: nothing is sent"
    if health is None or figures.backlog is None:
        yield "PostgreSQL does not answer"
    servers = [one for one in health or () if one.service == "pmta"]
    if servers and not any(one.healthy for one in servers):
        yield "no PowerMTA server is well"


def _degraded(
    figures: Figures, health: Sequence[HealthView] | None, sums: Sums | None, mail: Mail | None
) -> Iterator[str]:
    for service, well in figures.health.items():
        if not well:
            yield f"{service} is not well"
    for one in health or ():
        if not one.healthy:
            yield f"{one.service} {one.name}".strip() + f": {one.detail}"
    for stream in figures.streams or ():
        if stream.age is not None and stream.age > ACCOUNTING_LATE:
            yield f"accounting of {stream.server} is {stream.age / 3600:.1f} h behind"
    if sums is not None and sums.completion < LEAST_COMPLETION:
        yield f"{sums.behind} of {count(sums.with_quota, 'mailbox')} behind the daily minimum"
    if mail is not None and mail.failure_rate > MOST_FAILURES:
        yield f"{mail.failure_rate:.1f} % of today's recipients failed"
