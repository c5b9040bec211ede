"""The demo's judge: it must notice every way in which what happened is not the policy."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec

from control.embedded.demo.expect import CEILING, PACE, QUOTA, expected
from control.embedded.demo.judge import Day, Taken, Waits, differences
from control.embedded.demo.mail import CAMPAIGN, Mail, content, first_day
from control.embedded.demo.send import Reply
from control.embedded.stack.demotenants import IPS

MAILS = first_day()
REPLIES = [Reply(mail, 250, "ok") for mail in MAILS]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def days() -> list[Day]:
    """Every day as the policy wants it."""
    found: list[Day] = []
    mails = MAILS
    while mails:
        policy = expected(mails)
        relayed = Counter(e.vmta for e in policy.values() if e.vmta)
        day = Day(
            title=f"day {len(found) + 1}",
            date=(NOON + timedelta(days=len(found))).date(),
            mails=mails,
            policy=policy,
            ledger={row.ip: relayed[row.vmta] for row in IPS},
            held=[
                Waits(m.to, "held", min(policy[m.number].whys), "")
                for m in mails
                if not policy[m.number].vmta
            ],
        )
        found.append(day)
        mails = day.left
    return found


DAYS = days()


def taken() -> list[Taken]:
    return [
        Taken(
            time=(NOON + timedelta(days=number)).timestamp(),
            vmta=day.policy[m.number].vmta,
            rcpts=[m.to],
            envid=str(m.number),
            jobid=CAMPAIGN[m.tenant],
            header_names=["Subject"],
        )
        for number, day in enumerate(DAYS)
        for m in day.mails
        if day.policy[m.number].vmta
    ]


def test_the_policy_of_the_table_by_hand() -> None:
    ips = ("203.0.113.10", "203.0.113.11", "203.0.113.20", "203.0.113.21")
    assert [[day.ledger[ip] for ip in ips] for day in DAYS] == [
        [8, 3, 4, 3],
        [8, 3, 4, 3],
        [4, 1, 2, 0],
    ]
    waits = Counter(DAYS[0].policy[m.number].whys for m in DAYS[0].left)
    # At the end of the day the IP's quota keeps what a ceiling kept first, too.
    assert waits == {
        frozenset({CEILING, QUOTA}): 6,
        frozenset({QUOTA}): 6 + 9,
        frozenset({PACE}): 4,
    }


def test_what_the_policy_says_has_no_difference() -> None:
    assert differences(REPLIES, DAYS, taken()) == []


def test_every_kind_of_wrong_message_is_noticed() -> None:
    first, *rest = taken()
    last = taken()[-1]
    change = msgspec.structs.replace
    wrong = {
        "lost": rest,
        "other VirtualMTA": [change(first, vmta="x"), *rest],
        "twice": [first, change(first, envid="y"), *rest],
        "twice, on another day": [first, *rest, change(first, envid="y", time=last.time)],
        "same envelope id": [change(first, envid=rest[0].envid), *rest],
        "nobody sent it": [*taken(), change(first, rcpts=["who@x.example"], envid="z")],
        "a day early": [*taken()[:-1], change(last, time=first.time)],
        "on a day nobody looked at": [*taken()[:-1], change(last, time=last.time + 86_400)],
        "job": [change(first, jobid=""), *rest],
        "leaked header": [change(first, header_names=["X-Virtual-MTA"]), *rest],
    }
    for name, messages in wrong.items():
        assert differences(REPLIES, DAYS, messages), name


def test_every_kind_of_wrong_answer_hold_or_count_is_noticed() -> None:
    def day(number: int, **fields: object) -> list[Day]:
        changed = msgspec.structs.replace(DAYS[number], **fields)
        return [*DAYS[:number], changed, *DAYS[number + 1 :]]

    answers = [Reply(MAILS[0], 451, "later"), *REPLIES[1:]]
    assert differences(answers, DAYS, taken())
    assert differences(REPLIES[1:], DAYS, taken()), "never answered"
    first, *rest = DAYS[0].held
    gone = next(mail for mail in MAILS if DAYS[0].policy[mail.number].vmta)
    change = msgspec.structs.replace
    for held in (
        rest,
        [first, *DAYS[0].held],
        [change(first, reason="server_away"), *rest],
        [change(first, state="doubt"), *rest],
        [*DAYS[0].held, Waits(gone.to, "held", QUOTA, "")],
    ):
        assert differences(REPLIES, day(0, held=held), taken()), held
    assert differences(REPLIES, day(1, ledger={**DAYS[1].ledger, "203.0.113.10": 7}), taken())
    stranger = [Waits("x@y.example", "held", QUOTA, "")]
    assert differences(REPLIES, day(2, held=stranger), taken()), "the hold is not empty"
    assert differences(REPLIES, DAYS[:2], taken()), "it ended too early"


def test_mail_waits_in_the_order_it_came() -> None:
    shop = [mail for mail in DAYS[1].mails if mail.domain == "shop.demo-acme.example"]
    goes = [m.to for m in shop if DAYS[1].policy[m.number].vmta]

    def numbers(mails: list[Mail]) -> list[int]:
        return [mail.number for mail in mails]

    assert numbers(shop) == sorted(numbers(shop))
    assert Counter(to.partition("@")[2] for to in goes) == {
        "gmail.com": 3,
        "outlook.com": 1,
        "company.example": 4,
    }


def test_the_messages_are_mailwizz_messages() -> None:
    raw = content(MAILS[4])
    for name in (b"Feedback-ID: xk482ptq10cd5:", b"List-Unsubscribe: <", b"X-Virtual-MTA: "):
        assert name in raw
    assert raw.isascii() or b"8bit" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
