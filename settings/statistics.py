"""The configuration of statistics.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec


class Statistics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums of what became of mail, by day (`sendgate stats`)."""

    kept: Annotated[float, msgspec.Meta(ge=691_200, le=315_360_000)] = 34_560_000.0
    """Seconds for which sums by campaign and by mailbox are kept (400 days, so that a month is seen
    beside that of the year before); deleted by whole days. Those of IP, provider and tenant stay
    for ever."""
    detail_kept: Annotated[float, msgspec.Meta(ge=86_400, le=315_360_000)] = 2_592_000.0
    """Seconds for which sums by IP and campaign together are kept (30 days): a row for each
    campaign, IP and provider of a day. Also WARMUP_METRICS_RETENTION_DAYS, in days."""
    names: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    """Campaigns, and mailboxes, that count under their own names for each tenant and day; the rest
    counts as `other`."""
    mailboxes_look: Annotated[float, msgspec.Meta(ge=1, le=3_600)] = 15.0
    """Seconds between two looks at all mailboxes, which /api/warmup and warmup_* metrics show."""
    mailboxes_age: Annotated[float, msgspec.Meta(ge=10, le=86_400)] = 120.0
    """Seconds after which such figures are not shown any more: who asks waits for new ones."""
    mailboxes_named: Annotated[int, msgspec.Meta(ge=0, le=200)] = 10
    """Mailboxes with a figure of their own in the metrics: so many of the fullest, so many of the
    emptiest. One series each: all of 100,000 would be too many."""
    rows: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 10_000
    """Rows of one answer; more are asked for page by page."""
