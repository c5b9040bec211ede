"""What providers say: each rule by its golden reply, the codes operators know, and what is no
provider's word."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.denial import Denied, Limit
from policy.provider import OTHER, PROVIDERS
from policy.replies.follows import follows
from policy.replies.matcher import MATCHER, MOST_KNOWN, NEVER, Matcher, reply_rule
from policy.replies.rule import FITTING, ReplyRule
from policy.replies.table import TABLE
from tests.support.repository import nodes_of, python_files

RULES = {rule.name: rule for rule in TABLE.rules}


def named(provider: str, diagnosis: str, status: str = "") -> str:
    found = reply_rule(provider, status, diagnosis)
    return found.name if found is not None else ""


@pytest.mark.parametrize("name", RULES)
def test_a_golden_reply_is_known_by_its_own_rule_and_no_other(name: str) -> None:
    rule = RULES[name]
    for provider in (*(rule.providers or PROVIDERS), OTHER):
        rank = MATCHER.rank(rule, provider)
        if rank == NEVER:
            continue
        for spelling in spellings(rule.golden):
            found = list(MATCHER.all(provider, "", spelling))
            assert found[0] is rule, f"{found[0].name} knows it: {spelling}"
            assert [r.name for r in found if MATCHER.rank(r, provider) == rank] == [name]


def spellings(golden: str) -> list[str]:
    """As PowerMTA may have it: its prefix, other letters, other blanks, a reply of many lines."""
    plain = [golden, f"smtp;{golden}", golden.upper(), golden.replace(" ", "  ")]
    begin = re.match(r"([45]\d\d)(?: (\d\.\d+\.\d+))? ", golden)
    if begin is None:
        return plain
    code, status = begin[1], f"{begin[2]} " if begin[2] else ""
    words = golden[begin.end() :].split(" ")
    lines = [" ".join(words[i : i + 4]) for i in range(0, len(words), 4)]
    for end in (" ", "\r\n", "\\r\\n"):
        folded = [f"{code}-{status}{line}" for line in lines[:-1]]
        plain.append(end.join([*folded, f"{code} {status}{lines[-1]}"]))
    return plain


@pytest.mark.parametrize("rule", TABLE.rules, ids=lambda rule: rule.name)
def test_a_rule_says_where_it_is_written(rule: ReplyRule) -> None:
    assert rule.source.startswith("http")
    assert rule.golden
    assert rule.kind in FITTING[rule.action][rule.scope]
    assert follows(rule)


# Provider, what is said, and what has to follow: the codes that operators know by heart.
KNOWN = """
microsoft | 550 5.7.1 messages weren't sent, part of their network is on our block list (S3140) | ip block pause
microsoft | 550 5.7.1 messages weren't sent, part of their network is on our block list (AS3150) | ip block pause
microsoft | 550 5.7.606 Access denied, banned sending IP [192.0.2.1] | ip block pause
microsoft | 550 5.7.649 Access denied, banned sending IP [192.0.2.1] | ip block pause
yahoo | 553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred | ip block pause
yahoo | 553 5.7.2 [TSS11] All messages from 192.0.2.1 will be permanently deferred | ip block pause
unitedinternet | 554-web.de (mxweb012) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is block listed. 554 For explanation visit https://postmaster.web.de/en/case?c=r0201&i=ip | ip block pause
other | 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://check.spamhaus.org/query/ip/192.0.2.1 | ip block pause
gmail | 421-4.7.28 Gmail has detected an unusual rate of mail originating from your IP address 192.0.2.1. To | ip rate backoff 1800
yahoo | 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred | ip complaint backoff 7200
yahoo | 421 4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred | ip complaint backoff 14400
microsoft | 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S775) | ip rate backoff 5400
microsoft | 451 4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S3114) | ip rate backoff 5400
microsoft | 421 RP-001 The mail server IP has exceeded the rate limit allowed | ip rate backoff 5400
microsoft | 421 RP-002 The mail server IP has exceeded the rate limit allowed on this connection | ip rate backoff 5400
microsoft | 421 RP-003 The mail server IP has exceeded the connection limit allowed | ip rate backoff 5400
orange | 550 5.7.1 OFR006_102 [102] | ip block backoff 7200
laposte | 521 5.7.1 Service unavailable LPN007_102 | ip block backoff 7200
orange | 550 Service refused, please try later. OFR006_103 192.0.2.1 [103] | ip block backoff 7200
laposte | 550 5.7.1 Likely unsolicited email. LPN007_510 | ip block backoff 7200
orange | 550 5.7.1 blocked OFR006_101 [101] | ip block pause
orange | 421 Too many connections, slow down. OFR004_104 [104] | ip rate slow
laposte | 550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. LPN416 | recipient address suppress
orange | 552 5.1.1 Recipient overquota. OFR_417 [417] | recipient full bounce
orange | 550 5.2.0 Mail rejected. ofr_506 [506] | content block alert
laposte | 571 5.7.1 Message refused, DMARC verification Failed. LPN007_517 | domain auth alert
laposte | 554 5.7.1 Client host rejected LPN000_630 | ip block backoff 3600
orange | 421 Service refused, please try later. OFR_999 [999] | ip rate backoff 7200
microsoft | 550 5.7.515 Access denied, sending domain a.example does not meet the required authentication level | domain auth alert
gmail | 550-5.7.26 This message does not have authentication information or fails to pass | domain auth alert
gmail | 550-5.7.26 Unauthenticated email from a.example is not accepted due to domain's DMARC policy. | domain auth alert
sfr | 450 4.7.1 Client host rejected: SFR_IN_205 | ip rate backoff 7200
"""  # noqa: E501


@pytest.mark.parametrize("row", KNOWN.strip().splitlines())
def test_the_codes_that_operators_know_have_their_consequence(row: str) -> None:
    provider, text, means = (part.strip() for part in row.split(" | "))
    found = reply_rule(provider, "", f"smtp;{text}")
    assert found is not None
    lasts = [str(found.seconds)] if found.seconds is not None else []
    assert [found.scope, found.kind, found.action, *lasts] == means.split()


def test_a_domains_fault_never_reaches_the_ip() -> None:
    for action in ("pause", "backoff", "slow"):
        assert set(FITTING[action]) == {"ip"}
    for words in ("DKIM domain a.example", "SPF domain a.example", "one of your URL domains"):
        text = (
            f"421 4.7.28 Gmail has detected an unusual rate of mail originating from your {words}"
        )
        found = reply_rule("gmail", "", text.replace("originating from your one", "containing one"))
        assert found is not None
        assert found.scope != "ip"


def test_only_an_address_that_is_gone_is_hard() -> None:
    assert {rule.scope for rule in TABLE.rules if rule.hard} == {"recipient"}
    assert not any(rule.hard for rule in TABLE.rules if rule.kind in ("block", "full", "rate"))


def test_a_providers_own_rule_wins_over_what_anybody_says() -> None:
    text = "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. See "
    text += "https://www.spamhaus.org/query/ip/192.0.2.1 (AS3130)."
    assert named("microsoft", text) == "microsoft-spamhaus-ip-s3130"
    assert named("libero", text.replace("(AS3130)", "")) == "microsoft-spamhaus-ip"
    assert named("libero", text.replace("Spamhaus.", "it.").replace("(AS3130)", "")) == (
        "generic-spamhaus"
    )


def test_codes_travel_and_so_does_the_wording_of_who_hosts_domains() -> None:
    # AT&T's mail is taken by Yahoo's servers, a company's by Google's.
    assert named("att", "421 4.7.0 [TSS04] Messages from 192.0.2.1") == "yahoo-tss04"
    disabled = "550 5.2.1 The email account that you tried to reach is disabled."
    assert named(OTHER, disabled) == "gmail-recipient-disabled"
    # Anybody may call something spam: that is Free's word only from Free.
    assert named("free", "550 spam detected") == "free-content-spam"
    assert named(OTHER, "550 spam detected") == ""


def test_a_list_that_was_asked_wrongly_blames_nobody() -> None:
    text = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
    assert named(OTHER, f"{text}Error: open resolver; https://check.spamhaus.org/returnc/pub/") == (
        "generic-spamhaus-misused"
    )
    assert named(OTHER, f"{text}https://www.spamhaus.org/sbl/query/SBLCSS") == "generic-spamhaus"


def test_the_records_status_helps_where_the_reply_has_none() -> None:
    text = "smtp;553 Mail from 192.0.2.1 not allowed - 5.7.1 [BL23] Connections on Spamhaus XBL"
    assert named("yahoo", text, "5.0.0 (undefined status)") == "yahoo-bl23"
    banned = "smtp;550 Access denied, banned sending IP [192.0.2.1]"
    assert named("microsoft", banned) == ""
    assert named("microsoft", banned, "5.7.606 (unknown)") == "microsoft-banned-ip"


POWERMTA = [
    ("5.3.5 (no such virtual MTA)", ""),
    ("5.3.5 (no such virtual MTA)", "smtp;no such virtual MTA"),
    ("5.5.0", "smtp;550 5.5.0 specified Virtual MTA 'x' does not exist"),
    ("4.3.2", "smtp;452 4.3.2 Server resources temporarily exhausted"),
    ("5.7.1", "smtp;550 5.7.1 recipient is in suppression list"),
    ("5.0.0", "smtp;521 pmta.example does not accept mail from you"),
    ("5.1.1 (bad destination mailbox address)", ""),
    ("4.4.7 (delivery time expired)", ""),
    ("5.7.1 (delivery not authorized)", "smtp;delivery not authorized"),
    ("4.4.1 (no answer from host)", "smtp;connection timed out"),
    ("4.4.2 (bad connection)", "smtp;421 connection dropped"),
    ("2.0.0 (success)", "smtp;250 2.0.0 OK 1764400000 a1-2002 - gsmtp"),
]


@pytest.mark.parametrize(("status", "text"), POWERMTA)
def test_what_powermta_says_itself_is_no_providers_reply(status: str, text: str) -> None:
    assert [p for p in PROVIDERS if reply_rule(p, status, text) is not None] == []


def test_our_own_replies_are_no_providers() -> None:
    ours = list(own_replies())
    assert len(ours) > 60
    for code, status, text in ours:
        diagnosis = f"smtp;{code} {status} {text}"
        hit = {p: r.name for p in PROVIDERS if (r := reply_rule(p, "", diagnosis)) is not None}
        assert hit == {}, diagnosis


def own_replies() -> list[tuple[str, str, str]]:
    """All that the gateway may answer: each Reply(…) that is written down, and each denial."""
    found = []
    for path in python_files("gateway", "policy"):
        for node in nodes_of(Path(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            words = [_text(argument) for argument in node.args]
            match node.func.id, words:
                case "Reply", [code, status, text] if code[:1] in ("4", "5"):
                    found.append((code, status, text))
                case "deferral", [text]:
                    found.append(("451", "4.7.1", text))
                case "trouble", [text]:
                    found.append(("451", "4.3.0", text))
                case "syntax", [text, *_]:
                    found.append(("501", "5.5.4", text))
    for limit in Limit:
        sentence = Denied(limit, "pool/gmail", 1_764_400_000_000, 50, 50).sentence()
        found.append(("451", "4.7.1", sentence))
    return found


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value):
            return str(value)
        case ast.JoinedStr(values):
            return "".join(v.value if isinstance(v, ast.Constant) else "9" for v in values)
    return "x"


@given(st.text(max_size=300), st.text(max_size=20), st.sampled_from([*PROVIDERS, "", "nobody"]))
def test_whatever_is_said_is_read(text: str, status: str, provider: str) -> None:
    reply_rule(provider, status, text)
    reply_rule(provider, status, f"smtp;550-{text}\r\n550 {text}")


def test_made_up_codes_fill_nothing() -> None:
    matcher = Matcher(TABLE)
    for number in range(MOST_KNOWN + 500):
        matcher.rule("gmail", "", f"550 5.{number // 999}.{number % 999} no")
    assert len(matcher._known) <= MOST_KNOWN
