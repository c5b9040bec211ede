"""Why a held message waits: the words its rows have."""

from typing import Literal

WaitReason = Literal[
    # What a reservation met (policy.denial.Limit).
    "ip_quota",
    "ip_provider",
    "ip_pace",
    "window",
    "mailbox_max",
    "mailbox_ramp",
    "mailbox_spacing",
    "mailbox_unknown",
    "mailbox_minute",
    "mailbox_hour",
    "ip_minute",
    "ip_hour",
    "pool_minute",
    "pool_hour",
    "provider_minute",
    "provider_hour",
    "tenant_minute",
    "tenant_hour",
    "global_minute",
    "global_hour",
    "stopped",
    "tenant_paused",
    "pool_paused",
    "campaign_paused",
    "held_first",
    "no_ip",
    "server_away",
    "unknown_pool",
    "too_many",
    "ledger_closed",
    "ledger_away",
    # What became of an attempt, and of doubt.
    "failed",
    "unknown",
    "duplicate",
    "dividing",
    "absent",
    "restored",
    # What operators and suppressions do.
    "paused",
    "dropping",
    "suppressions_unknown",
]
