"""What follows from a rule, in one sentence. Pure."""

from policy.replies.rule import Action, ReplyRule, Scope

_ABOUT: dict[Scope, str] = {
    "ip": "the source IP",
    "domain": "the sending domain",
    "url": "a link in the message",
    "recipient": "the recipient",
    "content": "the message itself",
    "server": "the provider's own servers",
}

_DOES: dict[Action, str] = {
    "pause": "the IP is paused at this provider at once, which is critical; "
    "the address is good and the bounce is soft",
    "backoff": "the IP backs off at this provider{for_time}, and does not grow there for seven "
    "counted days; on three of seven days it steps back one stage",
    "slow": "fewer connections or a lower rate are wanted{for_time}; it is no judgement of the IP",
    "alert": "somebody has to put it right; the IP is not touched",
    "suppress": "the address is suppressed: it will never take mail",
    "bounce": "the recipient bounces softly; the IP is not touched",
    "retry": "PowerMTA tries again; nothing else follows",
}


def about(rule: ReplyRule) -> str:
    """Whom a rule blames, in words."""
    return _ABOUT[rule.scope]


def follows(rule: ReplyRule) -> str:
    """The sentence, without a full stop."""
    for_time = f" for {_time(rule.seconds)}" if rule.seconds is not None else ""
    return _DOES[rule.action].format(for_time=for_time)


def _time(seconds: int) -> str:
    if seconds % 3_600:
        return f"{seconds // 60} minutes"
    return "1 hour" if seconds == 3_600 else f"{seconds // 3_600} hours"
