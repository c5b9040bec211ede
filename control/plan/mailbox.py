"""From rows to what holds for mailboxes: limits of their own, and the tenant's."""

from datetime import date

from control.plan.rows import MailboxRow
from control.plan.terms import Terms
from policy.model import MailboxLimits, Rate
from settings.model import Warmup

_EPOCH = date(1970, 1, 1)


def mailbox_limits(row: MailboxRow) -> MailboxLimits:
    """The limits of a mailbox, in the plan."""
    began = None if row.ramp_from is None else date.fromisoformat(row.ramp_from)
    return MailboxLimits(
        daily_max=row.daily_max,
        daily_min=row.daily_min,
        spacing=row.spacing,
        spacing_max=row.spacing_max,
        ramp=None if row.ramp is None else tuple(row.ramp),
        ramp_from=None if began is None else (began - _EPOCH).days,
        rate=Rate(minute=row.per_minute, hour=row.per_hour),
    )


def common_limits(row: Terms, warmup: Warmup) -> MailboxLimits:
    """Of a tenant's mailboxes; what it does not say the settings do."""
    spacing, most = row.mailbox_spacing, row.mailbox_spacing_max
    if spacing is None and warmup.stagger_min_ms is not None:
        spacing = warmup.stagger_min_ms / 1000
        if most is None and warmup.stagger_max_ms is not None:
            most = warmup.stagger_max_ms / 1000
    return MailboxLimits(
        daily_max=row.mailbox_max,
        daily_min=warmup.min_daily_quota if row.mailbox_min is None else row.mailbox_min,
        spacing=spacing,
        spacing_max=most,
        rate=Rate(minute=row.mailbox_minute, hour=row.mailbox_hour),
    )
