"""Providers' replies as PowerMTA's patterns: each golden reply by its own, and to its own end."""

import re

import pytest

from control.pmta.generator.replies import (
    HOUR,
    backoff,
    blaming,
    categories,
    category_of,
    expression,
    spoken_by,
)
from control.pmta.generator.terms import Terms
from policy.provider import PROVIDERS
from policy.replies.rule import ReplyRule
from policy.replies.table import TABLE

TERMS = Terms(gateways=(), accounting="/var/log", categories=True)
RULES = {rule.name: rule for rule in TABLE.rules}


def compiled(line: str) -> re.Pattern[str]:
    """PowerMTA's are PCRE between slashes, without regard to case (guide, 3.3.15)."""
    assert line.startswith("/")
    assert line.endswith("/")
    return re.compile(line[1:-1], re.IGNORECASE | re.DOTALL)


def bounced(rule: ReplyRule) -> str:
    """As PowerMTA compares it with categories: status, then the diagnosis."""
    golden = rule.golden
    found = re.search(r"\b5\.\d{1,3}\.\d{1,3}\b", golden)
    return f"{found[0] if found else '5.0.0'} (undefined status);smtp;{golden}"


@pytest.mark.parametrize("name", RULES)
def test_a_rules_pattern_knows_its_own_reply(name: str) -> None:
    rule = RULES[name]
    assert compiled(expression(rule, "reply")).search(rule.golden)
    if not rule.code.startswith("4"):
        assert compiled(expression(rule, "bounce")).search(bounced(rule))


def test_only_what_blames_the_ip_puts_a_queue_into_back_off() -> None:
    for provider in ("gmail", "microsoft", "yahoo", "orange", "sfr", "unitedinternet"):
        patterns = [compiled(expression(rule, "reply")) for rule in blaming(provider)]
        for rule in TABLE.rules:
            if rule.providers and provider not in rule.providers:
                continue
            found = any(pattern.search(rule.golden) for pattern in patterns)
            blames = rule.scope == "ip" and rule.action in ("pause", "backoff", "slow")
            assert found == blames, (provider, rule.name)


def test_the_first_pattern_that_knows_a_bounce_says_its_category() -> None:
    block = categories(TERMS)
    lines = [line.strip() for line in block.splitlines()[1:-1]]
    assert lines[-1] == "// other"
    table = [(compiled(pattern), name) for pattern, name in (line.rsplit(" ", 1) for line in lines)]
    for rule in TABLE.rules:
        wanted = category_of(rule)
        if not wanted or rule.code[:1] not in ("5", "") or not rule.golden.startswith("5"):
            continue
        said = next(name for pattern, name in table if pattern.search(bounced(rule)))
        assert said == wanted, rule.name
    assert (
        next(n for p, n in table if p.search("5.1.1 (x);smtp;550 nothing known")) == "bad-mailbox"
    )
    assert next(n for p, n in table if p.search("5.0.0 (x);smtp;550 nothing known")) == "other"


def test_a_block_of_the_ip_is_never_the_addresss_fault() -> None:
    for rule in TABLE.rules:
        if rule.scope == "ip":
            assert category_of(rule) in ("policy-related", "spam-related", "")


def test_a_provider_backs_off_for_as_long_as_its_own_words_say() -> None:
    assert spoken_by("yahoo") == 4 * HOUR
    assert spoken_by("gmail") == 2 * HOUR
    assert spoken_by("naver") == 0
    lists = re.findall(r"<smtp-pattern-list sendgate-([a-z-]+)>", backoff(TERMS))
    assert set(lists) == {name for name in PROVIDERS if spoken_by(name)}
    assert len(lists) == len(set(lists))


def test_no_pattern_holds_what_powermta_reads_as_something_else() -> None:
    for line in (backoff(TERMS) + "\n" + categories(TERMS)).splitlines():
        assert "#" not in line
        assert '"' not in line
        assert line.isascii()
