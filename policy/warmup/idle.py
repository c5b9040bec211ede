"""What silence costs: providers forget an IP that stops sending, and it begins again lower.

Sources: 8 to 14 days without mail one stage, 15 to 30 two, beyond from the start: SendGrid and
MailWizz count an IP as cold again after 30 days.
"""

FROM_THE_START = 1_000
"""More stages than a plan has."""
_LOWER = ((30, FROM_THE_START), (14, 2), (7, 1))


def idle_days(last: int | None, today: int) -> int:
    """Whole days without mail; `last`: the last one with mail, None for an IP that never sent."""
    return 0 if last is None else max(0, today - last - 1)


def stages_lower(days: int) -> int:
    """By how many stages so many idle days lower an IP, all in all."""
    return next((stages for more_than, stages in _LOWER if days > more_than), 0)
