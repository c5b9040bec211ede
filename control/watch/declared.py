"""Control's metrics: their names, their labels, what they mean.

Labels come from the configuration and the plan: names of ledgers and PowerMTA servers, IPs and
sending domains of operators; and a few mailboxes' addresses (`MAILBOX_FILL`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily


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
STOPPED = Declared(
    "sendgate_sending_stopped",
    (),
    "1 while an operator has stopped all sending (`sendgate warmup stop`); 0 otherwise.",
)
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
MAILBOXES = Declared(
    "warmup_total_mailboxes", (), "Mailboxes with limits of their own, or that sent lately."
)
MAILBOXES_ACTIVE = Declared(
    "warmup_active_mailboxes", (), "Of these, those that sent today or yesterday."
)
SENT_TODAY = Declared(
    "warmup_emails_sent_today", (), "Recipients that IPs were given today, of all tenants."
)
FAILED_TODAY = Declared(
    "warmup_emails_failed_today", (), "Recipients of today that bounced, or that PowerMTA refused."
)
THROUGHPUT = Declared(
    "warmup_throughput_per_hour",
    (),
    "Recipients of the last hour; of less, as many as it would be in one.",
)
COMPLETION = Declared(
    "warmup_quota_completion_rate",
    (),
    "Per cent of the mailboxes with a daily minimum that have sent what is due of it by now, by "
    "the elapsed part of their sending hours; 100 without any.",
)
SYSTEM = Declared(
    "warmup_system_health",
    (),
    "0 critical: the ledger closed, PostgreSQL or every PowerMTA away; 1 degraded: a check fails, "
    "completion under 50, failures over 10 per cent, accounting over an hour behind; 2 healthy.",
)
MAILBOX_FILL = Declared(
    "warmup_mailbox_quota_fill",
    ("tenant", "mailbox"),
    "Per cent of its daily minimum that a mailbox has sent: of the fullest and of the emptiest "
    "alone (statistics.mailboxes_named).",
)
LOGINS = Declared(
    "sendgate_logins",
    ("result",),
    "Of people, since this process started: ok; wrong name or password, code (missing or wrong), "
    "locked; refreshed, stale, reused (a refresh token came twice: its session ended); link, "
    "changed (passwords).",
)
REFUSED = Declared(
    "sendgate_api_refused",
    ("policy",),
    "Requests that were answered 429 since this process started, by the bound they exceeded: "
    "requests (control.rate_requests) and costly (control.rate_costly) of a token or person, "
    "address (control.rate_address) without a valid one.",
)
LIMIT_FILL = Declared(
    "sendgate_limit_fill_ratio",
    ("level", "span"),
    "Share used of the limit of a minute or an hour that is fullest, of each level (gateway, "
    "provider, tenant, pool, ip) that has one; 1 is full.",
)
LIMITS_FULL = Declared(
    "sendgate_limits_full",
    ("level", "span"),
    "Limits of a minute or an hour of that level that had no place left when they were looked at.",
)
WARMUP = (
    *(MAILBOXES, MAILBOXES_ACTIVE, SENT_TODAY, FAILED_TODAY, THROUGHPUT, COMPLETION, SYSTEM),
    MAILBOX_FILL,
)
DECLARED = (
    *WARMUP,
    *(IPS, QUOTA, SENT, LISTED, VALID, HEALTH, QUEUE, STOPPED),
    *(BUILD, STARTED, OPEN, CLOSED, PUBLISHED, WORKERS, LATE, LOST),
    *(AGE, BEHIND, GAP, PROBLEM, BYPASS, BYPASS_AT, CARRIED, CARRIED_LATE),
    *(SUPPRESSIONS, SUPPRESSIONS_MOST, LOGINS, REFUSED, LIMIT_FILL, LIMITS_FULL),
    *(TOLD_AGE, TOLD_QUEUED, TOLD_LICENCE),
    *(INBOX, INBOX_MOST, INBOX_BATCHES, INBOX_AGE, GIVEN_UP, SET_ASIDE, SET_ASIDE_AT),
)


def gauge(declared: Declared, values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    """With a value for each of its labels' values."""
    family = GaugeMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
