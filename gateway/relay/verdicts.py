"""What the replies to several RCPT say together. Plain functions, no I/O."""

import re
from collections.abc import Callable

from policy.outcome import Failed, Refused, Stage, classify
from policy.reply import Reply

Verdict = Refused | Failed | None
"""What one RCPT was answered; None: accepted."""

Divided = Callable[[tuple[Verdict, ...], Callable[[str], None]], None]
"""Is told the verdicts, in the order of the recipients, and calls back: with '' the accepted ones
get the message, with a reason nobody does."""


def verdict(answer: Reply, suppression: re.Pattern[str]) -> Verdict:
    """Of one reply to RCPT."""
    if answer.positive:
        return None
    said = classify(Stage.RCPT, answer, suppression)
    assert isinstance(said, Refused | Failed)
    return said


def for_all(
    refusals: list[tuple[Stage, Reply]], suppression: re.Pattern[str]
) -> tuple[Stage, Reply]:
    """The refusal that answers for the whole message: one of another command than RCPT, what ends
    the channel, what is ours (a client that hears a final refusal bounces all), else the first."""
    first = refusals[0]
    if len(refusals) == 1 or first[0] is not Stage.RCPT:
        return first
    for stage, answer in refusals:
        if answer.code == 421:
            return stage, answer
    for stage, answer in refusals:
        if stage is Stage.RCPT and isinstance(verdict(answer, suppression), Failed):
            return stage, answer
    return first
