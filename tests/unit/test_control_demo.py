"""The demo's judge: it must notice every way in which what happened is not the policy."""

import msgspec

from control.demo.expect import CEILING, PACE, QUOTA
from control.demo.judge import Taken, differences, expected
from control.demo.mail import CAMPAIGN, content, first_day
from control.demo.send import Reply
from control.demo.table import IPS

MAILS = first_day()
POLICY = expected(MAILS)
LEDGER = {row.ip: sum(e.vmta == row.vmta for e in POLICY.values()) for row in IPS}


def replies() -> list[Reply]:
    return [
        Reply(m, 250, "ok") if POLICY[m.number].vmta else Reply(m, 451, POLICY[m.number].why)
        for m in MAILS
    ]


def taken() -> list[Taken]:
    return [
        Taken(
            vmta=POLICY[m.number].vmta,
            rcpts=[m.to],
            envid=str(m.number),
            jobid=CAMPAIGN[m.tenant],
            header_names=["Subject"],
        )
        for m in MAILS
        if POLICY[m.number].vmta
    ]


def test_the_policy_of_the_table_by_hand() -> None:
    assert LEDGER == {"203.0.113.10": 8, "203.0.113.11": 3, "203.0.113.20": 4, "203.0.113.21": 3}
    whys = [POLICY[m.number].why for m in MAILS if not POLICY[m.number].vmta]
    assert whys == [CEILING] * 3 + [QUOTA] * 2 + [PACE] * 2 + [QUOTA] * 2


def test_what_the_policy_says_has_no_difference() -> None:
    assert differences(MAILS, POLICY, replies(), taken(), LEDGER) == []


def test_every_kind_of_difference_is_noticed() -> None:
    first, *rest = taken()
    change = msgspec.structs.replace
    wrong = {
        "lost": rest,
        "other VirtualMTA": [change(first, vmta="x"), *rest],
        "twice": [first, change(first, envid="y"), *rest],
        "same envelope id": [change(first, envid=rest[0].envid), *rest],
        "nobody sent it": [*taken(), change(first, rcpts=["who@x.example"], envid="z")],
        "over quota": [*taken(), change(first, rcpts=["reader4@gmail.com"], envid="z")],
        "job": [change(first, jobid=""), *rest],
        "leaked header": [change(first, header_names=["X-Virtual-MTA"]), *rest],
    }
    for name, messages in wrong.items():
        assert differences(MAILS, POLICY, replies(), messages, LEDGER), name
    for number, code, text in ((0, 451, ""), (3, 250, "ok"), (3, 451, "later"), (3, 550, CEILING)):
        answers = replies()
        answers[number] = Reply(MAILS[number], code, text)
        assert differences(MAILS, POLICY, answers, taken(), LEDGER), (number, code)
    assert differences(MAILS, POLICY, replies()[1:], taken(), LEDGER)
    assert differences(MAILS, POLICY, replies(), taken(), {**LEDGER, "203.0.113.10": 7})


def test_the_messages_are_mailwizz_messages() -> None:
    raw = content(MAILS[4])
    for name in (b"Feedback-ID: xk482ptq10cd5:", b"List-Unsubscribe: <", b"X-Virtual-MTA: "):
        assert name in raw
    assert raw.isascii() or b"8bit" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
