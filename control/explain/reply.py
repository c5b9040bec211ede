"""What a provider's reply means: the rule that knows it, its source, and what follows."""

import msgspec

from policy.replies.follows import about, follows
from policy.replies.matcher import reply_rule
from policy.replies.table import TABLE


class ReplyExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One reply, explained. Without a rule the rest is None."""

    rule: str | None = None
    providers: tuple[str, ...] | None = None
    """Who says it; empty: anybody may."""
    scope: str | None = None
    kind: str | None = None
    action: str | None = None
    seconds: int | None = None
    """How long the action lasts; None: until somebody ends it, or it does not last."""
    hard: bool | None = None
    """The address will never take mail."""
    sentence: str
    source: str | None = None
    seen: str | None = None
    golden: str | None = None
    version: int
    """Of the rules."""


def reply_explained(provider: str, status: str, diagnosis: str) -> ReplyExplained:
    """`provider`: as policy/provider.py names it; `status`, `diagnosis`: dsnStatus, dsnDiag."""
    rule = reply_rule(provider, status, diagnosis)
    if rule is None:
        return ReplyExplained(
            sentence="no rule knows this reply: it counts as a bounce or a deferral, "
            "and nothing else follows",
            version=TABLE.version,
        )
    return ReplyExplained(
        rule=rule.name,
        providers=rule.providers,
        scope=rule.scope,
        kind=rule.kind,
        action=rule.action,
        seconds=rule.seconds,
        hard=rule.hard,
        sentence=f"it is about {about(rule)}; what is due: {follows(rule)}",
        source=rule.source,
        seen=rule.seen,
        golden=rule.golden,
        version=TABLE.version,
    )
