"""Which rule knows a reply. Pure; compiled once, some microseconds a reply."""

from collections.abc import Iterator

import msgspec

from policy.replies.rule import ReplyRule
from policy.replies.said import Said, said
from policy.replies.table import TABLE, Table

NEVER = 9
MOST_KNOWN = 4_096
"""Codes and statuses whose candidates are kept: replies have some dozens, but a server may make up
any number of them."""


class _Candidates(msgspec.Struct, frozen=True):
    """Rules whose code and status fit, the best first."""

    every: tuple[ReplyRule, ...]
    wordings: tuple[ReplyRule, ...]
    """Those that need no code of the provider's own: most replies have none."""


class Matcher:
    """Compares replies with one table.

    A provider's own rules come first, those with a code before those that go by wording. Then what
    travels: codes that only one provider has, and the wording of providers that receive mail for
    other people's domains (a company at Google Workspace is no gmail.com, and Google answers).
    What anybody says comes last. Among equals the first of the file wins.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[tuple[str, str, str], _Candidates] = {}
        self._named = frozenset(p for rule in table.rules for p in rule.providers)

    def rule(self, provider: str, status: str, diagnosis: str) -> ReplyRule | None:
        """The rule of a reply, or None. `provider`: as provider.py names it, `other` or '' when
        nobody knows; `status` and `diagnosis`: dsnStatus and dsnDiag."""
        return next(self.all(provider, status, diagnosis), None)

    def all(self, provider: str, status: str, diagnosis: str) -> Iterator[ReplyRule]:
        """Every rule that knows a reply, the best first."""
        heard = said(status, diagnosis)
        found = self._candidates(provider, heard)
        for rule in found.every if heard.tokens else found.wordings:
            if fits(rule, heard.tokens, heard.text):
                yield rule

    def rank(self, rule: ReplyRule, provider: str) -> int:
        """What is compared earlier has the smaller number; NEVER: not with this provider."""
        if not rule.providers:
            return 4
        if provider in rule.providers:
            return 0 if rule.coded else 1
        if rule.coded:
            return 2
        return NEVER if self._table.hosters.isdisjoint(rule.providers) else 3

    def _candidates(self, provider: str, heard: Said) -> _Candidates:
        key = (provider if provider in self._named else "", heard.code, heard.status)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = self._look(*key)
        return found

    def _look(self, provider: str, code: str, status: str) -> _Candidates:
        ranked = [
            (self.rank(rule, provider), rule)
            for rule in self._table.rules
            if code.startswith(rule.code) and _has(rule, status)
        ]
        ranked.sort(key=lambda pair: pair[0])
        every = tuple(rule for rank, rule in ranked if rank != NEVER)
        return _Candidates(every, tuple(rule for rule in every if not rule.tokens))


def fits(rule: ReplyRule, tokens: frozenset[str], text: str) -> bool:
    """Whether a reply is what a rule describes; its code and status were looked at."""
    if rule.tokens and rule.tokens.isdisjoint(tokens):
        return False
    for wanted in rule.texts:  # most end at the first, without a generator
        if wanted not in text:
            return False
    return not rule.unless or all(unwanted not in text for unwanted in rule.unless)


def _has(rule: ReplyRule, status: str) -> bool:
    if rule.detail is None:
        return rule.status in ("", status)
    group, _, last = status.rpartition(".")
    return group == rule.status and rule.detail[0] <= int(last) <= rule.detail[1]


MATCHER = Matcher(TABLE)


def reply_rule(provider: str, status: str, diagnosis: str) -> ReplyRule | None:
    """As `Matcher.rule`, with the table of this version."""
    return MATCHER.rule(provider, status, diagnosis)
