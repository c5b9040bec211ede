"""Control's metrics: one look in Prometheus' text format.

`deploy/CONTROL-METRICS.md` lists them; `python -m control.watch.metrics` makes that page.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from control.accounting.setaside import Backlog
from control.ledger.limits import Limit
from control.pmta.told import ToldView, ends_at
from control.watch.declared import (
    AGE,
    BEHIND,
    BUILD,
    BYPASS,
    BYPASS_AT,
    CARRIED,
    CARRIED_LATE,
    CLOSED,
    DECLARED,
    GAP,
    GIVEN_UP,
    HEALTH,
    INBOX,
    INBOX_AGE,
    INBOX_BATCHES,
    INBOX_MOST,
    IPS,
    LATE,
    LIMIT_FILL,
    LIMITS_FULL,
    LISTED,
    LOGINS,
    LOST,
    OPEN,
    PROBLEM,
    PUBLISHED,
    QUEUE,
    QUOTA,
    REFUSED,
    SENT,
    SET_ASIDE,
    SET_ASIDE_AT,
    STARTED,
    STOPPED,
    SUPPRESSIONS,
    SUPPRESSIONS_MOST,
    TOLD_AGE,
    TOLD_LICENCE,
    TOLD_QUEUED,
    VALID,
    WORKERS,
    Declared,
    gauge,
)
from control.watch.engine import ENGINE
from control.watch.figures import Figures
from control.watch.text import text
from control.watch.warmup import Families, WarmupMetrics, families


def exposition(
    figures: Figures,
    *,
    ledger: str,
    version: str,
    started: float,
    warmup: WarmupMetrics | None = None,
    logins: Mapping[str, int] | None = None,
    refused: Mapping[str, int] | None = None,
    limits: Sequence[Limit] = (),
    engine: Sequence[Metric] = (),
) -> str:
    """The figures as Prometheus reads them. `ledger` is its name, `started` in seconds."""
    registry = CollectorRegistry()
    registry.register(_Look(figures, ledger, version, started, logins or {}))
    if refused is not None:
        by_policy: dict[tuple[str, ...], float] = {(name,): n for name, n in refused.items()}
        registry.register(Families([gauge(REFUSED, by_policy)]))
    if warmup is not None:
        registry.register(Families(list(families(warmup))))
    if limits:
        registry.register(Families(_limits(limits)))
    if engine:
        registry.register(Families(engine))
    return text(registry)


def _limits(found: Sequence[Limit]) -> list[GaugeMetricFamily]:
    """By level, never by name: there may be thousands."""
    fill: dict[tuple[str, ...], float] = {}
    full: dict[tuple[str, ...], float] = {}
    for one in found:
        key = one.level, one.span
        fill[key] = max(fill.get(key, 0.0), one.fill / 100.0)
        full[key] = full.get(key, 0) + (one.used >= one.most)
    return [gauge(LIMIT_FILL, fill), gauge(LIMITS_FULL, full)]


class _Look(Collector):
    def __init__(
        self, figures: Figures, ledger: str, version: str, started: float, logins: Mapping[str, int]
    ) -> None:
        self._of = figures
        self._ledger = ledger
        self._version = version
        self._started = started
        self._logins = logins

    def collect(self) -> Iterator[GaugeMetricFamily]:
        of = self._of
        yield gauge(BUILD, {(self._version,): 1})
        yield gauge(STARTED, {(): self._started})
        yield gauge(LOGINS, {(result,): count for result, count in self._logins.items()})
        yield gauge(OPEN, {(self._ledger,): of.open})
        if of.ledger is not None:
            yield gauge(CLOSED, {(self._ledger,): len(of.ledger.closed)})
        for declared, value in (
            (PUBLISHED, of.published),
            (WORKERS, None if of.workers is None else len(of.workers)),
            (LATE, of.late),
        ):
            if value is not None:
                yield gauge(declared, {(): value})
        if of.lost is not None:
            yield gauge(LOST, {(self._ledger,): of.lost})
        if of.around is not None:
            yield gauge(BYPASS, {(one.server,): one.today for one in of.around})
            yield gauge(BYPASS_AT, {(one.server,): one.last_at / 1000 for one in of.around})
        if of.carried is not None:
            yield gauge(CARRIED, {(one.server,): one.recipients for one in of.carried})
            yield gauge(CARRIED_LATE, {(one.server,): one.late for one in of.carried})
        if of.listed is not None:
            yield gauge(SUPPRESSIONS, {(): of.listed.entries})
            yield gauge(SUPPRESSIONS_MOST, {(): of.listed.most})
        if of.told is not None:
            yield from _told(of.told)
        yield gauge(HEALTH, {(service,): well for service, well in of.health.items()})
        if of.named is not None:
            yield gauge(IPS, {(status,): count for status, count in of.named.ips.items()})
            yield gauge(QUOTA, {(ip,): quota for ip, quota in of.named.quotas.items()})
            yield gauge(SENT, {(ip,): sent for ip, sent in of.named.sent.items()})
            yield gauge(
                LISTED, {(ip, zone): listed for (ip, zone), listed in of.named.blocklists.items()}
            )
            yield gauge(VALID, {(name,): valid for name, valid in of.named.domains.items()})
            yield gauge(STOPPED, {(): of.named.stopped})
            yield gauge(QUEUE, {(queue,): size for queue, size in of.named.queues.items()})
        if of.streams is not None:
            streams = [(stream, (stream.server,)) for stream in of.streams]
            yield gauge(AGE, {key: s.age for s, key in streams if s.age is not None})
            yield gauge(BEHIND, {key: s.behind for s, key in streams if s.behind is not None})
            yield gauge(GAP, {key: s.gap_at / 1000 for s, key in streams})
            yield gauge(PROBLEM, {key: bool(s.problem) for s, key in streams})
        if of.backlog is not None:
            yield from _backlog(of.backlog)


def _told(of: list[ToldView]) -> Iterator[GaugeMetricFamily]:
    yield gauge(TOLD_AGE, {(one.server,): one.age for one in of})
    queued = {(one.server,): one.told.queued for one in of}
    yield gauge(TOLD_QUEUED, {key: n for key, n in queued.items() if n is not None})
    ends = {(one.server,): ends_at(one.told) for one in of}
    yield gauge(TOLD_LICENCE, {key: end / 1000 for key, end in ends.items() if end is not None})


def _backlog(of: Backlog) -> Iterator[GaugeMetricFamily]:
    for declared, value in (
        (INBOX, of.inbox.octets),
        (INBOX_MOST, of.inbox.most),
        (INBOX_BATCHES, of.inbox.waiting),
        (INBOX_AGE, of.inbox.age),
        (GIVEN_UP, of.inbox.stuck),
        (SET_ASIDE, of.set_aside),
        (SET_ASIDE_AT, of.set_aside_at / 1000),
    ):
        yield gauge(declared, {(): value})


_HEAD = """\
# Metrics of control

Served at `/metrics` of the API, with a token (role `scrape`), and without one from the networks of
`control.metrics_networks`, where a proxy's address is what counts behind it. Those in `_total` are
counters, all others gauges; read when asked for; a part that is away leaves its own out, but
`sendgate_ledger_open`, which is 0 then.

Of the names that older engines had, `email_engine_bounces_forwarded_total` is not served: Sendgate
forwards no bounces, MailWizz fetches them from the mailbox it names as return path.

Made by `python -m control.watch.metrics`.

| name | labels | meaning |
|---|---|---|
"""


def catalogue() -> str:
    """The page of all metrics, as Markdown."""
    return _HEAD + "".join(map(_row, sorted((*DECLARED, *ENGINE))))


def _row(one: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "none"
    return f"| `{one.name}` | {labels} | {one.help} |\n"


if __name__ == "__main__":
    sys.stdout.write(catalogue())
