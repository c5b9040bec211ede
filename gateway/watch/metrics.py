"""What the gateway counts. Every label is bounded: names from the generation, never a client's.

With several workers the values add up across processes (prometheus-client's multiprocess mode,
PROMETHEUS_MULTIPROC_DIR); `deploy/METRICS.md` lists them all and a test keeps it true. Counts are
kept in this process (`watch.tally`) and shown after `flush`, which comes once a second and at
the end: a process that is killed loses at most the counts of its last second.
"""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Gauge

from gateway.watch.tally import Count, Counter, Counters, Histogram, Level, Tally

REGISTRY = CollectorRegistry(auto_describe=True)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)

sessions = Level(
    Gauge(
        "sendgate_sessions",
        "Client sessions open now.",
        multiprocess_mode="livesum",
        registry=None,
    ),
    registry=REGISTRY,
)
connections = Counters(
    "sendgate_connections_total",
    "Client connections by how they began: served, or turned away because all slots were taken.",
    ["result"],
    registry=REGISTRY,
)
logins = Counters(
    "sendgate_logins_total",
    "SMTP logins by result.",
    ["result"],
    registry=REGISTRY,
)
messages = Counters(
    "sendgate_messages_total",
    "Messages by tenant and outcome: relayed, refused (PowerMTA's verdict), held, doubt (held, no "
    "reply after the dot), duplicate (dropped), denied (a limit), failed (ours), deferred (the "
    "hold could not take it), unknown (no reply after the dot, not held), rejected (malformed or "
    "not allowed).",
    ["tenant", "outcome"],
    registry=REGISTRY,
)
recipients = Counters(
    "sendgate_recipients_relayed_total",
    "Recipients relayed, by VirtualMTA and mailbox provider.",
    ["vmta", "provider"],
    registry=REGISTRY,
)
denials = Counters(
    "sendgate_denials_total",
    "Messages that could not go now, by the limit that bound.",
    ["limit"],
    registry=REGISTRY,
)
refunds = Counter(
    "sendgate_refunds_total",
    "Charges given back after a definite failure.",
    registry=REGISTRY,
)
unknown = Counter(
    "sendgate_unknown_outcomes_total",
    "Attempts whose dot was sent and not answered in time.",
    registry=REGISTRY,
)
unacknowledged = Counter(
    "sendgate_unacknowledged_total",
    "Messages that PowerMTA may have although their client heard no 250; each is in the log.",
    registry=REGISTRY,
)
unsendable = Counters(
    "sendgate_unsendable_total",
    "Attempts not made because PowerMTA, or what stands before it, does not offer what the message "
    "needs: refused (SMTPUTF8, for internationalized mail) or held (8BITMIME, for 8-bit content; "
    "SMTPUTF8 where nothing is known of what is offered).",
    ["result"],
    registry=REGISTRY,
)
duplicates = Counters(
    "sendgate_duplicates_total",
    "Messages that were a copy of an earlier one, by tenant.",
    ["tenant"],
    registry=REGISTRY,
)
late_replies = Counters(
    "sendgate_late_replies_total",
    "Replies to the dot that came after the client was answered, by verdict.",
    ["verdict"],
    registry=REGISTRY,
)
message_seconds = Histogram(
    "sendgate_message_seconds",
    "From the final dot of a message to our reply.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
relay_seconds = Histogram(
    "sendgate_relay_seconds",
    "From the grant of a message to PowerMTA's reply.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
ledger_seconds = Histogram(
    "sendgate_ledger_seconds",
    "Time of one ledger call, repeats included.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
ledger_batch = Histogram(
    "sendgate_ledger_batch_size",
    "Reservations and refunds in one ledger call.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    registry=REGISTRY,
)
memory = Gauge(
    "sendgate_message_memory_bytes",
    "Octets of message data held now.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
relay_sessions = Gauge(
    "sendgate_relay_sessions",
    "Sessions to a PowerMTA server by state, and messages waiting for one.",
    ["server", "state"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
circuits = Gauge(
    "sendgate_circuits_open",
    "Circuits that are not closed, by kind (server or vmta).",
    ["kind"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
generation = Gauge(
    "sendgate_generation",
    "Number of the generation in force; the lowest of the workers.",
    multiprocess_mode="livemin",
    registry=REGISTRY,
)
entry_changes = Gauge(
    "sendgate_entry_changes_waiting",
    "Changes of duplicate entries that wait for a ledger that is away; from ledger.changes on, "
    "mail that would be held is deferred.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
ledger_usable = Gauge(
    "sendgate_ledger_usable",
    "1 while the ledger answers and is open, of the worst worker.",
    multiprocess_mode="livemin",
    registry=REGISTRY,
)
log_dropped = Gauge(
    "sendgate_log_lines_dropped",
    "Log lines that did not fit the buffer since the worker started.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
hold_batch = Histogram(
    "sendgate_hold_batch_size",
    "Messages in one commit of the hold.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    registry=REGISTRY,
)
hold_seconds = Histogram(
    "sendgate_hold_seconds",
    "From asking the hold to keep a message to its answer.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
hold_kept = Counters(
    "sendgate_hold_kept_total",
    "Messages the hold was asked to keep, by result: kept, not_kept, unsure.",
    ["result"],
    registry=REGISTRY,
)
hold_rows = Gauge(
    "sendgate_held_messages",
    "Held recipients by tenant, state and reason, as last counted.",
    ["tenant", "state", "reason"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
hold_bytes = Gauge(
    "sendgate_held_bytes",
    "Octets of held messages by tenant, as last counted.",
    ["tenant"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
hold_oldest = Gauge(
    "sendgate_held_oldest_seconds",
    "Age of the oldest held message by tenant, in calendar time.",
    ["tenant"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
hold_wait = Gauge(
    "sendgate_held_projected_seconds",
    "Projected wait of the last held message by tenant.",
    ["tenant"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
released = Counters(
    "sendgate_released_total",
    "Held recipients by how an attempt ended: relayed, refused, failed, rested, unknown.",
    ["result"],
    registry=REGISTRY,
)
expired = Counters(
    "sendgate_hold_given_up_total",
    "Held recipients given up, by ending: expired, failed, refused, dropped, forgotten.",
    ["ending"],
    registry=REGISTRY,
)
doubts_settled = Counters(
    "sendgate_doubts_settled_total",
    "Doubts settled, by verdict: delivered, absent, duplicate, goes.",
    ["verdict"],
    registry=REGISTRY,
)
probes = Counters(
    "sendgate_probes_total",
    "Probes sent to PowerMTA servers, by result: accepted, failed.",
    ["result"],
    registry=REGISTRY,
)


# What every message counts: finding a child by its labels costs as much as counting it.
@lru_cache(maxsize=64)
def denials_by(limit: str) -> Count:
    return denials.labels(limit)


@lru_cache(maxsize=8)
def hold_kept_as(result: str) -> Count:
    return hold_kept.labels(result)


_TALLIES = tuple(metric for metric in list(globals().values()) if isinstance(metric, Tally))


def flush() -> None:
    """Make what was counted visible to whoever reads the metrics of this process."""
    for tally in _TALLIES:
        tally.flush()
