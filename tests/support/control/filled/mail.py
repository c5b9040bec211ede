"""What became of mail: held, refused, sent, told of by PowerMTA, kept from addresses."""

from collections.abc import Callable

from control.parts import Parts
from policy.ledger_port import Reserve
from policy.limits import DAY
from tests.support.control.outcomes import read_all, tell
from tests.support.control.records import book, record
from tests.support.hold.held import hold

PROVIDERS = ("gmail.com", "yahoo.com", "gmx.net", "outlook.com", "orange.fr")
DAYS = 12
"""On which something was sent."""
IPS = ("192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.21", "192.0.2.31")
WAITING = (
    ("ip_quota", "the daily quota of vmta-192-0-2-11 is used up (600 of 600)"),
    ("mailbox_daily", "anna@news.acme.example sent 40 of 40 today"),
    ("outside_hours", "tenant acme sends from 08:00 to 20:00 Europe/Berlin"),
    ("deferred", "421-4.7.28 Our system has detected an unusual rate of unsolicited mail"),
)
_SUPPRESSED = """
INSERT INTO suppression SELECT decode(lpad(n::text, 32, '0'), 'hex'), 'acme', $1, 'complaint',
    'hand', $2, $3, $4, NULL, NULL, 1000 + n FROM generate_series($5::int, $5::int) n
"""
_ORDERED = """
INSERT INTO hold_request (at, who, action, tenant, campaign, recipient, state, changed, error,
    finished) VALUES (now(), $1, 'release', 'acme', $2, $3, $4, 1200, $5, now())
"""


async def put(core: Parts, written: Callable[[str], str], today: int) -> None:
    """Of the last days, and of today."""
    await _held(core, written, today)
    await _sent(core, written, today)
    for number, (recipient, outcome, why) in enumerate(
        (
            ("anna@gmail.com", "relayed", ""),
            ("anna@gmail.com", "held", WAITING[0][1]),
            ("anna@gmail.com", "refused", "550 5.7.1 the recipient asked to get no more mail"),
        )
    ):
        told = {"recipients": [written(recipient)] if number == 1 else [recipient]}
        told |= {"outcome": outcome, "why": written(why), "campaign": written("spring-sale")}
        await tell(core, {"message": f"message{number:03}", **told})
    await read_all(core)
    since = today * DAY
    for number, name in enumerate(("anna@gmail.com", "carl@gmx.net", "dora@yahoo.com")):
        note, who = written("clicked on unsubscribe"), written("erika@example.org")
        address = name if number == 0 else written(name)
        await core.pool.execute(_SUPPRESSED, address, note, who, since, number + 1)
    for state, error in (("done", ""), ("failed", "the ledger was away")):
        order = (written("erika@example.org"), written("spring-sale"), written("anna@gmail.com"))
        await core.pool.execute(_ORDERED, *order, state, written(error))


async def _held(core: Parts, written: Callable[[str], str], today: int) -> None:
    for number in range(40):
        reason, detail = WAITING[number % len(WAITING)]
        tenant = ("acme", "globex")[number % 8 == 7]
        await hold(
            *(core.pool, f"{number:05}waits"),
            bucket=today,
            tenant=tenant,
            pool=tenant,
            campaign=written(("spring-sale", "welcome", "digest-2026-11")[number % 3]),
            mailbox=written(f"{('anna', 'ben', 'shop')[number % 3]}@news.acme.example"),
            recipient=written(f"reader{number}@{PROVIDERS[number % 5]}"),
            reason=reason,
            detail=written(detail),
            message_id=written(f"<{number}.spring@news.acme.example>"),
            arrived=today * DAY + number * 1000,
            paused=number % 13 == 0,
        )


async def _sent(core: Parts, written: Callable[[str], str], today: int) -> None:
    rows = await core.pool.fetch("SELECT host(ip) AS ip, name FROM virtual_mta")
    vmta = {row["ip"]: row["name"] for row in rows}
    for day in range(today - DAYS + 1, today + 1):
        sent = []
        for place, ip in enumerate(IPS):
            for number in range(4 + (day * 7 + place * 3) % 9):
                named = {
                    "vmta": vmta[ip],
                    "rcpt": f"reader{number}@{PROVIDERS[(number + place) % 5]}",
                    "jobId": written(("spring-sale", "welcome")[number % 2]),
                    "orig": "anna@news.acme.example",
                }
                message = f"sent{place:02}{number:03}"
                sent.append(record("r", message, day=day, **named))
        await book(core, *sent)
        ends = [dict(one, type="d") for number, one in enumerate(sent) if number % 9]
        bad = {"type": "b", "bounceCat": written("bad-mailbox")}
        ends += [one | bad for number, one in enumerate(sent) if not number % 9]
        ends += [dict(sent[0], type="t", dsnStatus="4.7.0"), dict(sent[1], type="f")]
        await book(core, *ends)
    for name, count in (("anna", 31), ("ben", 9), ("shop", 44)):
        ask = Reserve("acme", "acme", f"{name}@news.acme.example", (("gmail", count),))
        await core.ledger.decide([ask])
    await core.progress.look()
