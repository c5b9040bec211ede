"""The rule as the settings have it. Pure."""

from policy.warmup.rule import LEAST_COMPLAINTS, Limit, Rule
from settings.model import Warmup

HEALTHY_BOUNCES, HEALTHY_COMPLAINTS = 0.4, 0.3
"""What a healthy IP shows, of the limit: 2 % where that is 5 %, 0.03 % where that is 0.1 %."""


def rule_of(warmup: Warmup) -> Rule:
    """Shares of 1 from per cent."""
    bounces, complaints = warmup.max_bounce_rate / 100, warmup.max_spam_rate / 100
    return Rule(
        bounces=Limit(bounces, bounces * HEALTHY_BOUNCES),
        complaints=Limit(complaints, complaints * HEALTHY_COMPLAINTS, LEAST_COMPLAINTS),
        min_use=warmup.min_use,
        guard=warmup.guard,
    )
