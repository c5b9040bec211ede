"""Metrics by the names of the engine that operators ran before, whose dashboards and rules have
them.

Rule: exactly these names and labels; where the old engine knew one PowerMTA there is a label
`server` more, a name that an operator gave. What we do not know is absent, never 0:
`email_engine_bounces_forwarded_total` is not there at all, for nothing is forwarded (PowerMTA's
bounces reach MailWizz by its own bounce mailbox).
"""

from collections.abc import Iterator
from typing import NamedTuple, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from control.alerts.alert import Severity
from control.pmta.told import SILENT
from control.watch.declared import Declared, gauge
from control.watch.done import Done
from control.watch.figures import Figures

ACTIVE = Declared("email_engine_ips_active", (), "IPs that have finished their warm-up.")
WARMING = Declared("email_engine_ips_warming", (), "IPs that warm up.")
BLACKLISTED = Declared(
    "email_engine_ips_blacklisted", (), "IPs that at least one DNS blocklist has."
)
RUNNING = Declared(
    "email_engine_pmta_running",
    ("server",),
    "1 while gateways hand mail to a PowerMTA server, 0 while one of them rests it after failures. "
    "One that nobody sends to is found out with the next message, or by the health check.",
)
PMTA_QUEUE = Declared(
    "email_engine_pmta_queue_size",
    ("server",),
    "Recipients in the queues of a PowerMTA server: as its agent says, else those handed over that "
    "accounting has no end of; absent where neither is there.",
)
DISK = Declared(
    "email_engine_disk_usage_pct",
    (),
    "Per cent in use of the fullest disk that control's host reads and writes on.",
)
RAM = Declared(
    "email_engine_ram_usage_pct",
    (),
    "Per cent in use of the memory of control's host, caches left out.",
)
BOUNCES = Declared(
    "email_engine_bounces_received_total",
    (),
    "Bounces that PowerMTA's accounting told of, late ones (rb) too, each once, ever.",
)
CHECKS = Declared(
    "email_engine_blacklist_checks_total",
    (),
    "Questions to DNS blocklists since this process started.",
)
ALERTS = Declared(
    "email_engine_alerts_sent_total",
    ("severity",),
    "Messages about alerts that a channel took since this process started.",
)

COUNTERS = (BOUNCES, CHECKS, ALERTS)
ENGINE = (ACTIVE, WARMING, BLACKLISTED, RUNNING, PMTA_QUEUE, DISK, RAM, *COUNTERS)


class Host(NamedTuple):
    """Of control's host, shares from 0 to 1."""

    disk: float
    memory: float | None
    """None: the system does not say."""


def families(
    of: Figures, host: Host, done: Done
) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    """What is known of them."""
    yield gauge(DISK, {(): round(host.disk * 100, 2)})
    if host.memory is not None:
        yield gauge(RAM, {(): round(host.memory * 100, 2)})
    yield _counter(CHECKS, {(): done.checks})
    # Each from the start: who watches a rate would miss the first.
    yield _counter(ALERTS, {(name,): done.alerts[name] for name in get_args(Severity)})
    if (named := of.named) is not None:
        yield gauge(ACTIVE, {(): named.ips.get("active", 0)})
        yield gauge(WARMING, {(): named.ips.get("warming", 0)})
        listed = {ip for (ip, _), there in named.blocklists.items() if there}
        yield gauge(BLACKLISTED, {(): len(listed)})
        yield _counter(BOUNCES, {(): named.bounces})
    if of.named is not None and of.circuits is not None:
        yield gauge(RUNNING, {(name,): up for name, up in _running(of).items()})
    yield gauge(PMTA_QUEUE, {(name,): size for name, size in _queues(of).items()})


def _counter(declared: Declared, values: dict[tuple[str, ...], float]) -> CounterMetricFamily:
    family = CounterMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _running(of: Figures) -> dict[str, bool]:
    assert of.named is not None
    rested = {
        one.name for some in (of.circuits or {}).values() for one in some if one.kind == "server"
    }
    return {name: name not in rested for name in of.named.servers}


def _queues(of: Figures) -> dict[str, int]:
    found: dict[str, int] = {}
    if of.named is not None:
        earlier = {one.server: one.recipients for one in of.carried or ()}
        found = {name: n + earlier.get(name, 0) for name, n in of.named.unfinished.items()}
    for one in of.told or ():
        if one.told.queued is not None and one.age * 1000 <= SILENT:
            found[one.server] = one.told.queued
    return found
