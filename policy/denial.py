"""Why a message may not go now: the binding limit, whose it is, and until when."""

from enum import StrEnum
from functools import lru_cache

import msgspec

from policy.isotime import not_before
from policy.number import agree, count


class Limit(StrEnum):
    """The limits a reservation can meet. The value travels through the ledger and into labels."""

    IP_QUOTA = "ip_quota"
    IP_PROVIDER = "ip_provider"
    IP_PACE = "ip_pace"
    WINDOW = "window"
    MAILBOX_MAX = "mailbox_max"
    MAILBOX_RAMP = "mailbox_ramp"
    MAILBOX_SPACING = "mailbox_spacing"
    MAILBOX_UNKNOWN = "mailbox_unknown"
    MAILBOX_MINUTE = "mailbox_minute"
    MAILBOX_HOUR = "mailbox_hour"
    IP_MINUTE = "ip_minute"
    IP_HOUR = "ip_hour"
    POOL_MINUTE = "pool_minute"
    POOL_HOUR = "pool_hour"
    PROVIDER_MINUTE = "provider_minute"
    PROVIDER_HOUR = "provider_hour"
    TENANT_MINUTE = "tenant_minute"
    TENANT_HOUR = "tenant_hour"
    GLOBAL_MINUTE = "global_minute"
    GLOBAL_HOUR = "global_hour"
    STOPPED = "stopped"
    TENANT_PAUSED = "tenant_paused"
    POOL_PAUSED = "pool_paused"
    CAMPAIGN_PAUSED = "campaign_paused"
    HELD_FIRST = "held_first"
    NO_IP = "no_ip"
    SERVER_AWAY = "server_away"
    UNKNOWN_POOL = "unknown_pool"
    TOO_MANY = "too_many"
    LEDGER_CLOSED = "ledger_closed"
    LEDGER_AWAY = "ledger_away"


IP_LIMITS = frozenset(
    {
        Limit.IP_QUOTA,
        Limit.IP_PROVIDER,
        Limit.IP_PACE,
        Limit.IP_MINUTE,
        Limit.IP_HOUR,
        Limit.POOL_MINUTE,
        Limit.POOL_HOUR,
    }
)
"""Limits of a pool and its IPs: a denial under one of these holds for the whole pool × provider."""

MAILBOX_LIMITS = frozenset(
    {
        Limit.MAILBOX_MAX,
        Limit.MAILBOX_RAMP,
        Limit.MAILBOX_SPACING,
        Limit.MAILBOX_MINUTE,
        Limit.MAILBOX_HOUR,
    }
)
"""Limits of one sender address: they hold for its mail and nobody else's."""

RATE_LIMITS = frozenset({limit for limit in Limit if limit.value.endswith(("_minute", "_hour"))})
"""Limits of any minute and hour, at every level (`policy.rolling`)."""

_SENTENCES = {
    Limit.IP_QUOTA: "the daily quota of {subject} is used up ({used} of {limit})",
    Limit.IP_PROVIDER: "the daily ceiling of {subject} is used up ({used} of {limit})",
    Limit.IP_PACE: "{subject} is paced ({used} of {limit} today)",
    Limit.WINDOW: "tenant {subject} is outside its sending hours",
    Limit.MAILBOX_MAX: "mailbox {subject} has sent its {limit} for today",
    Limit.MAILBOX_RAMP: "mailbox {subject} has sent the {limit} of its ramp for today",
    Limit.MAILBOX_SPACING: "mailbox {subject} waits between messages",
    Limit.MAILBOX_UNKNOWN: "mailbox {subject} is not one of this tenant's",
    Limit.MAILBOX_MINUTE: "mailbox {subject} has sent its {limit} a minute",
    Limit.MAILBOX_HOUR: "mailbox {subject} has sent its {limit} an hour",
    Limit.IP_MINUTE: "{subject} has sent its {limit} a minute",
    Limit.IP_HOUR: "{subject} has sent its {limit} an hour",
    Limit.POOL_MINUTE: "pool {subject} has sent its {limit} a minute",
    Limit.POOL_HOUR: "pool {subject} has sent its {limit} an hour",
    Limit.PROVIDER_MINUTE: "the gateway has sent {subject} its {limit} a minute",
    Limit.PROVIDER_HOUR: "the gateway has sent {subject} its {limit} an hour",
    Limit.TENANT_MINUTE: "tenant {subject} has sent its {limit} a minute",
    Limit.TENANT_HOUR: "tenant {subject} has sent its {limit} an hour",
    Limit.GLOBAL_MINUTE: "the gateway has sent its {limit} a minute",
    Limit.GLOBAL_HOUR: "the gateway has sent its {limit} an hour",
    Limit.STOPPED: "all sending is stopped by an operator",
    Limit.TENANT_PAUSED: "tenant {subject} is paused",
    Limit.POOL_PAUSED: "pool {subject} is paused",
    Limit.CAMPAIGN_PAUSED: "campaign {subject} is paused",
    Limit.HELD_FIRST: "{held} of pool {subject} {go} first",
    Limit.NO_IP: "pool {subject} has no IP that may send",
    Limit.SERVER_AWAY: "the PowerMTA server of pool {subject} is away",
    Limit.UNKNOWN_POOL: "pool {subject} is not known to the ledger yet",
    Limit.TOO_MANY: "{recipients} {are} more than pool {subject} ever sends in a day ({limit})",
    Limit.LEDGER_CLOSED: "the ledger is closed: its counts are being rebuilt",
    Limit.LEDGER_AWAY: "the ledger does not answer",
}


class Denied(msgspec.Struct, frozen=True, array_like=True):
    """A reservation that was not granted. Nothing was charged."""

    limit: Limit
    subject: str
    """What the limit belongs to: a VirtualMTA, `VirtualMTA/provider`, a mailbox, a tenant."""
    until: int
    """Ledger time in milliseconds from which it is worth trying again; 0 when nobody knows."""
    bound: int
    used: int

    def sentence(self) -> str:
        """For people; names no other tenant."""
        return _sentence(self)

    def rests(self, look: int) -> int:
        """Until when a message that was denied so waits by itself; 0: it stands in line. A mailbox
        may have a place before its limit ends: at `look` somebody does."""
        return min(self.until, look) if self.limit in MAILBOX_LIMITS else 0


# A denial is remembered and binds thousands of messages.
@lru_cache(maxsize=1024)
def _sentence(denied: Denied) -> str:
    used = denied.used
    if denied.limit is Limit.MAILBOX_MAX and denied.bound == 0:
        # Midnight changes nothing: the message is looked at again then, and waits on.
        return f"mailbox {denied.subject} may send nothing: its daily maximum is 0"
    text = _SENTENCES[denied.limit].format(
        subject=denied.subject,
        limit=denied.bound,
        used=used,
        held=count(used, "held message"),
        go=agree(used, "goes", "go"),
        recipients=count(used, "recipient"),
        are=agree(used, "is", "are"),
    )
    return f"{text}, until {not_before(denied.until)}" if denied.until else text
