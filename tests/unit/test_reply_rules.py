"""The file of rules refuses what cannot be meant, with a sentence that names the rule."""

import pytest

from policy.replies.table import RulesError, read

HEAD = """
version = 1
hosters = ["gmail"]
[sources]
page = { url = "https://a.example/", seen = "2026-11" }
"""

RULE = """
[[rules]]
name = "gmail-one"
providers = ["gmail"]
match = { code = "421", status = "4.7.28", text = ["Your  IP"] }
means = { scope = "ip", kind = "rate", action = "backoff", lasts = "30m" }
source = "page"
golden = "421 4.7.28 your IP"
"""


def test_a_rule_is_read() -> None:
    [rule] = read(HEAD + RULE).rules
    assert (rule.texts, rule.seconds, rule.source) == (("your ip",), 1800, "https://a.example/")
    [ranged] = read(HEAD + RULE.replace("4.7.28", "4.7.28-30", 1)).rules
    assert (ranged.status, ranged.detail) == ("4.7", (28, 30))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('source = "page"', "", "rule gmail-one: `source` names none of [sources]"),
        ('source = "page"', 'source = "hearsay"', "`source` names none of [sources]"),
        ('golden = "421 4.7.28 your IP"', "", "`golden` is missing"),
        ('providers = ["gmail"]', 'providers = ["gmial"]', "'gmial' is no provider"),
        ('code = "421"', 'code = "250"', "`code` '250' is not the beginning"),
        ('"4.7.28"', '"4.7"', "`status` '4.7' is neither like 5.7.1"),
        ('"4.7.28"', '"4.7.30-28"', "runs backwards"),
        ('["Your  IP"]', '[" "]', "an empty text or bracket would match every reply"),
        (', status = "4.7.28", text = ["Your  IP"]', "", "a code is too little"),
        ('scope = "ip"', 'scope = "domain"', "the action backoff does not follow from domain rate"),
        ('action = "backoff"', 'action = "pause"', "pause does not follow from ip rate"),
        (', lasts = "30m"', "", "a backoff needs `lasts`"),
        ('"30m"', '"30"', "`lasts` '30' is not minutes or hours"),
        ('"30m"', '"999h"', "`lasts` '999h' is not minutes or hours"),
        ('kind = "rate"', 'kind = "mood"', "Invalid enum value 'mood'"),
        ('name = "gmail-one"', 'name = "Gmail"', "a name is lower-case words with hyphens"),
        ('name = "gmail-one"', 'name = "gmail-one"\nwhy = 1', "unknown field `why`"),
        ("[[rules]]", "[[rules]", "replies.toml: "),
    ],
)
def test_a_rule_that_cannot_be_meant_does_not_load(old: str, new: str, says: str) -> None:
    assert old in RULE
    with pytest.raises(RulesError) as error:
        read(HEAD + RULE.replace(old, new))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"https://a.example/"', '"a book"', "source page: give its url"),
        ('"2026-11"', '"lately"', "`seen` as year and month"),
        ('["gmail"]', '["gmial"]', "hosters: 'gmial' is no provider"),
    ],
)
def test_sources_have_an_address_and_a_date(old: str, new: str, says: str) -> None:
    with pytest.raises(RulesError, match=says):
        read(HEAD.replace(old, new) + RULE)


def test_a_name_is_one_rules() -> None:
    with pytest.raises(RulesError, match="rule gmail-one: the name is given twice"):
        read(HEAD + RULE + RULE)
