"""Control's metrics: their names, what they mean, and one look in Prometheus' text format.

Labels come from the configuration and the plan: names of ledgers and PowerMTA servers, IPs and
sending domains of operators.
`deploy/CONTROL-METRICS.md` lists them; `python -m control.watch.metrics` makes that page.
"""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from control.accounting.setaside import Backlog
from control.pmta.told import ToldView, ends_at
from control.watch.figures import Figures


class Declared(NamedTuple):
    """One gauge as it is served."""

    name: str
    labels: tuple[str, ...]
    help: str


BUILD = Declared(
    "sendgate_build_info", ("version",), "1; the version of Sendgate that runs is its label."
)
STARTED = Declared(
    "sendgate_start_time_seconds", (), "When this process started, in seconds since 1970."
)
OPEN = Declared(
    "sendgate_ledger_open",
    ("ledger",),
    "1 while the ledger is open; 0 while it is lost, rebuilt, away or was never opened.",
)
CLOSED = Declared(
    "sendgate_ledger_closed_ips",
    ("ledger",),
    "IPs that send nothing until the day's turn, for their counts of today were lost.",
)
PUBLISHED = Declared(
    "sendgate_published_generation", (), "Number of the generation published last."
)
WORKERS = Declared("sendgate_workers", (), "Live gateway processes that told the ledger of them.")
LATE = Declared(
    "sendgate_workers_late", (), "Of these, those that do not run the generation published last."
)
AGE = Declared(
    "sendgate_accounting_age_seconds",
    ("server",),
    "Time since everything a PowerMTA server had written was read, in calendar time.",
)
BEHIND = Declared(
    "sendgate_accounting_behind_bytes", ("server",), "Octets written and not read yet."
)
GAP = Declared(
    "sendgate_accounting_gap_timestamp_seconds",
    ("server",),
    "When records were found missing last, in seconds since 1970; 0 for never.",
)
PROBLEM = Declared(
    "sendgate_accounting_problem",
    ("server",),
    "1 while the accounting of a server cannot be used as it is; 0 otherwise.",
)
LOST = Declared(
    "sendgate_outcomes_lost",
    ("ledger",),
    "Recipients whose outcome control never read, ever: while it did not read, the ledger's stream "
    "had no more room.",
)
INBOX = Declared(
    "sendgate_accounting_inbox_bytes", (), "Octets of posted batches that wait to be taken in."
)
INBOX_MOST = Declared(
    "sendgate_accounting_inbox_limit_bytes",
    (),
    "Octets of posted batches that may wait (accounting.inbox); beyond, they are answered 503.",
)
INBOX_BATCHES = Declared(
    "sendgate_accounting_inbox_batches", (), "Posted batches that wait to be taken in."
)
INBOX_AGE = Declared(
    "sendgate_accounting_inbox_age_seconds",
    (),
    "Time since the oldest of them came that is still tried, in calendar time; 0: none waits.",
)
GIVEN_UP = Declared(
    "sendgate_accounting_inbox_given_up",
    (),
    "Of the batches that wait, those that could not be taken in: an operator tries them again.",
)
SET_ASIDE = Declared(
    "sendgate_accounting_set_aside", (), "Records that could not be taken in and are kept."
)
SET_ASIDE_AT = Declared(
    "sendgate_accounting_set_aside_timestamp_seconds",
    (),
    "When the last of them came, in seconds since 1970; 0 for never.",
)
BYPASS = Declared(
    "sendgate_bypass_recipients",
    ("server",),
    "Recipients of today whose mail no gateway handed in and whose VirtualMTA or IP is ours: they "
    "count for the IP.",
)
BYPASS_AT = Declared(
    "sendgate_bypass_timestamp_seconds",
    ("server",),
    "When a record of such mail was written last, in seconds since 1970; 0: none since yesterday.",
)
CARRIED = Declared(
    "sendgate_carried_over_recipients",
    ("server",),
    "Recipients granted on earlier days that PowerMTA has not done with: they count against quotas "
    "of today.",
)
CARRIED_LATE = Declared(
    "sendgate_carry_over_late",
    ("server",),
    "1 while that figure is the last known one, for the records of the server stopped "
    "(accounting.carry_late); 0 otherwise.",
)
SUPPRESSIONS = Declared(
    "sendgate_suppressions_listed",
    (),
    "Suppressed addresses of all tenants in PostgreSQL, those that ended lately among them.",
)
SUPPRESSIONS_MOST = Declared(
    "sendgate_suppressions_limit",
    (),
    "How many there may be (suppressions.most); beyond, hard bounces and complaints suppress "
    "nobody.",
)
TOLD_AGE = Declared(
    "sendgate_pmta_status_age_seconds",
    ("server",),
    "Time since the agent of a PowerMTA server told how that is, in calendar time.",
)
TOLD_QUEUED = Declared(
    "sendgate_pmta_queue_recipients", ("server",), "Recipients in the queues of a PowerMTA server."
)
TOLD_LICENCE = Declared(
    "sendgate_pmta_licence_expiry_timestamp_seconds",
    ("server",),
    "When the licence of a PowerMTA server ends, in seconds since 1970; 0 for never.",
)
IPS = Declared("email_engine_ips_total", ("status",), "IPs by status, each of which is there.")
QUOTA = Declared(
    "email_engine_warmup_quota",
    ("ip",),
    "Recipients a day that an IP may send, by the plan in force; an unlimited one is not there.",
)
SENT = Declared("email_engine_warmup_sent", ("ip",), "Recipients an IP was given today.")
LISTED = Declared(
    "email_engine_blacklist_status",
    ("ip", "dnsbl"),
    "1 while a list has the IP, 0 while it has not; absent: not known.",
)
VALID = Declared(
    "email_engine_dns_validation",
    ("domain",),
    "1 while the DNS records of a sending domain are right; absent: not known.",
)
HEALTH = Declared(
    "email_engine_health_check",
    ("service",),
    "1 while a part is well: control, postgresql, valkey, gateway, pmta, accounting.",
)
QUEUE = Declared(
    "email_engine_queue_size",
    ("queue",),
    "What waits: default (jobs that are due), hold (messages), accounting (posted batches).",
)
DECLARED = (
    *(IPS, QUOTA, SENT, LISTED, VALID, HEALTH, QUEUE),
    *(BUILD, STARTED, OPEN, CLOSED, PUBLISHED, WORKERS, LATE, LOST),
    *(AGE, BEHIND, GAP, PROBLEM, BYPASS, BYPASS_AT, CARRIED, CARRIED_LATE),
    *(SUPPRESSIONS, SUPPRESSIONS_MOST),
    *(TOLD_AGE, TOLD_QUEUED, TOLD_LICENCE),
    *(INBOX, INBOX_MOST, INBOX_BATCHES, INBOX_AGE, GIVEN_UP, SET_ASIDE, SET_ASIDE_AT),
)


def exposition(figures: Figures, *, ledger: str, version: str, started: float) -> str:
    """The figures as Prometheus reads them. `ledger` is its name, `started` in seconds."""
    registry = CollectorRegistry()
    registry.register(_Look(figures, ledger, version, started))
    return prometheus_client.generate_latest(registry).decode()


class _Look(Collector):
    def __init__(self, figures: Figures, ledger: str, version: str, started: float) -> None:
        self._of = figures
        self._ledger = ledger
        self._version = version
        self._started = started

    def collect(self) -> Iterator[GaugeMetricFamily]:
        of = self._of
        yield _gauge(BUILD, {(self._version,): 1})
        yield _gauge(STARTED, {(): self._started})
        yield _gauge(OPEN, {(self._ledger,): of.open})
        if of.ledger is not None:
            yield _gauge(CLOSED, {(self._ledger,): len(of.ledger.closed)})
        for declared, value in (
            (PUBLISHED, of.published),
            (WORKERS, None if of.workers is None else len(of.workers)),
            (LATE, of.late),
        ):
            if value is not None:
                yield _gauge(declared, {(): value})
        if of.lost is not None:
            yield _gauge(LOST, {(self._ledger,): of.lost})
        if of.around is not None:
            yield _gauge(BYPASS, {(one.server,): one.today for one in of.around})
            yield _gauge(BYPASS_AT, {(one.server,): one.last_at / 1000 for one in of.around})
        if of.carried is not None:
            yield _gauge(CARRIED, {(one.server,): one.recipients for one in of.carried})
            yield _gauge(CARRIED_LATE, {(one.server,): one.late for one in of.carried})
        if of.listed is not None:
            yield _gauge(SUPPRESSIONS, {(): of.listed.entries})
            yield _gauge(SUPPRESSIONS_MOST, {(): of.listed.most})
        if of.told is not None:
            yield from _told(of.told)
        yield _gauge(HEALTH, {(service,): well for service, well in of.health.items()})
        if of.named is not None:
            yield _gauge(IPS, {(status,): count for status, count in of.named.ips.items()})
            yield _gauge(QUOTA, {(ip,): quota for ip, quota in of.named.quotas.items()})
            yield _gauge(SENT, {(ip,): sent for ip, sent in of.named.sent.items()})
            yield _gauge(QUEUE, {(queue,): size for queue, size in of.named.queues.items()})
        if of.streams is not None:
            streams = [(stream, (stream.server,)) for stream in of.streams]
            yield _gauge(AGE, {key: s.age for s, key in streams if s.age is not None})
            yield _gauge(BEHIND, {key: s.behind for s, key in streams if s.behind is not None})
            yield _gauge(GAP, {key: s.gap_at / 1000 for s, key in streams})
            yield _gauge(PROBLEM, {key: bool(s.problem) for s, key in streams})
        if of.backlog is not None:
            yield from _backlog(of.backlog)


def _told(of: list[ToldView]) -> Iterator[GaugeMetricFamily]:
    yield _gauge(TOLD_AGE, {(one.server,): one.age for one in of})
    queued = {(one.server,): one.told.queued for one in of}
    yield _gauge(TOLD_QUEUED, {key: n for key, n in queued.items() if n is not None})
    ends = {(one.server,): ends_at(one.told) for one in of}
    yield _gauge(TOLD_LICENCE, {key: end / 1000 for key, end in ends.items() if end is not None})


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
        yield _gauge(declared, {(): value})


def _gauge(declared: Declared, values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


_HEAD = """\
# Metrics of control

Served at `/metrics` of the API, with a token (role `scrape`), and without one from the networks of
`control.metrics_networks`, where a proxy's address is what counts behind it. All are gauges, read
when asked for; a part that is away leaves its own out, but `sendgate_ledger_open`, which is 0 then.

Made by `python -m control.watch.metrics`.

| name | labels | meaning |
|---|---|---|
"""


def catalogue() -> str:
    """The page of all metrics, as Markdown."""
    return _HEAD + "".join(map(_row, sorted(DECLARED)))


def _row(one: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "none"
    return f"| `{one.name}` | {labels} | {one.help} |\n"


if __name__ == "__main__":
    sys.stdout.write(catalogue())
