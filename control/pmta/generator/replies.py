"""Providers' replies in PowerMTA's words: what puts a queue into back-off, and what category a
bounce has. Pure; from the same table by which replies are understood (policy/replies).

A rule becomes one regular expression, PCRE between slashes: its code, status, tokens and texts each
a look-ahead, so that their order does not matter. `#` would begin a comment and `/` end it: both
are written otherwise.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from control.pmta.generator.terms import Terms
from control.pmta.generator.text import block
from policy.replies.rule import ReplyRule
from policy.replies.table import TABLE

LIST_NAME = "sendgate-{}"
"""The `<smtp-pattern-list>` of a provider."""

HOUR = 3_600
"""Seconds of a back-off where the provider does not say how long (the guide's default of
`backoff-retry-after`)."""

_ACTIONS = frozenset({"pause", "backoff", "slow"})
_CATEGORIES = {
    "address": "bad-mailbox",
    "full": "quota-issues",
    "auth": "policy-related",
    "complaint": "spam-related",
    "block": "policy-related",
    "rate": "policy-related",
}
"""By a rule's kind. A refused IP is no fault of the address: MailWizz takes these for soft."""
_BY_SCOPE = {"content": "content-related", "url": "spam-related"}
_BY_STATUS = (
    # RFC 3463 sections 3.2 and 3.3; 5.7.1 is said for too much to mean one thing.
    (r"^5\.1\.[12]", "bad-mailbox"),
    (r"^5\.2\.1", "inactive-mailbox"),
    (r"^5\.2\.2", "quota-issues"),
    (r"^5\.7\.\d", "policy-related"),
    (r"^5\.4\.7", "message-expired"),
    (r"^5\.4\.4", "bad-domain"),
    (r"^5\.5\.\d", "protocol-errors"),
)


def blaming(provider: str) -> tuple[ReplyRule, ...]:
    """Rules by which a provider, or (last) anybody, blames the IP."""
    return _blaming().get(provider, ()) + _blaming().get("", ())


def spoken_by(provider: str) -> int:
    """Seconds of the longest back-off a provider asks for in words of its own; 0: it has none."""
    own = _blaming().get(provider, ())
    return max((rule.seconds or HOUR for rule in own), default=0)


@cache
def _blaming() -> dict[str, tuple[ReplyRule, ...]]:
    found: dict[str, list[ReplyRule]] = {}
    for rule in TABLE.rules:
        if rule.scope == "ip" and rule.action in _ACTIONS:
            for name in rule.providers or ("",):
                found.setdefault(name, []).append(rule)
    return {name: tuple(rules) for name, rules in found.items()}


def backoff(terms: Terms) -> str:
    """A list of patterns for each provider that blames IPs in words of its own."""
    if not (terms.backoff and terms.rollups):
        return ""
    return "\n\n".join(
        block("smtp-pattern-list", LIST_NAME.format(name), _replies(blaming(name)))
        for name in _blaming()
        if name
    )


def _replies(rules: Iterable[ReplyRule]) -> Iterator[str]:
    for rule in rules:
        yield f"reply {expression(rule, 'reply')} mode=backoff"


def categories(terms: Terms) -> str:
    """Bounce categories: a provider's own words first, then what the status says."""
    if not terms.categories:
        return ""
    lines = [
        f"{expression(rule, 'bounce')} {category}"
        for rule in TABLE.rules
        if (category := category_of(rule)) and rule.code[:1] in ("", "5")
    ]
    lines += [f"/{pattern}/ {category}" for pattern, category in _BY_STATUS]
    return block("bounce-category-patterns", "", [*lines, "// other"])


def category_of(rule: ReplyRule) -> str:
    """PowerMTA's name; '' for what says nothing of why."""
    if rule.scope == "server":
        return ""
    return _BY_SCOPE.get(rule.scope, _CATEGORIES.get(rule.kind, ""))


def expression(rule: ReplyRule, of: str) -> str:
    """`of`: `reply`, the words of the server from their code on; or `bounce`, the text that
    PowerMTA compares with categories, status first and the code somewhere behind."""
    parts = []
    if len(rule.code) == 1:
        # A reply begins with it, and so does its status.
        parts.append(f"(?={rule.code})")
    elif rule.code:
        digits = rule.code + r"\d" * (3 - len(rule.code))
        parts.append(f"(?={digits})" if of == "reply" else rf"(?=.*\b{digits}[\s-])")
    if rule.status:
        parts.append(rf"(?=.*\b{_status(rule)}\b)")
    if rule.tokens:
        tokens = "|".join(_token(token) for token in sorted(rule.tokens))
        parts.append(f"(?=.*(?:{tokens}))")
    parts += [f"(?=.*{_text(text)})" for text in rule.texts]
    parts += [f"(?!.*{_text(text)})" for text in rule.unless]
    return f"/^{''.join(parts)}/"


def _status(rule: ReplyRule) -> str:
    dotted = rule.status.replace(".", r"\.")
    if rule.detail is None:
        return dotted
    low, high = rule.detail
    return rf"{dotted}\.(?:{'|'.join(str(number) for number in range(low, high + 1))})"


def _token(token: str) -> str:
    """As `policy.replies.said` finds it."""
    if token.startswith("_"):
        return rf"\b(?:ofr|lpn|lpnaaa|ouk)\d{{0,3}}[_\s-]?{token[1:]}\b"
    if token.startswith("sfr_in_"):
        return rf"\bsfr_in_\d{token.removeprefix('sfr_in_')}\b"
    if token.startswith("c="):
        return rf"[?&]{_text(token)}\b"
    if re.fullmatch("[a-z]{1,6}[0-9]{1,5}", token) and not re.fullmatch(
        "(?:bl|rl|es|dm)[01]{6}", token
    ):
        return rf"[\[(](?:a(?=s\d))?{token}[\])]"
    return rf"\b{_text(token)}\b"


def _text(text: str) -> str:
    escaped = re.sub(r"[\\.^$*+?()\[\]{}|]", r"\\\g<0>", text)
    for sign, written in (("/", r"\/"), ("#", r"\x23"), ('"', r"\x22"), (" ", r"\s+")):
        escaped = escaped.replace(sign, written)
    return escaped
