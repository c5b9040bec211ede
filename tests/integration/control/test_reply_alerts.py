"""What providers say of a sender: of whom it is, and what is somebody's to put right."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from control.duty import watch_of
from control.ledger.clock import ClockMove
from control.parts import Parts
from policy.limits import day_of
from policy.provider import learn
from policy.replies.rule import ReplyRule
from policy.replies.table import TABLE
from tests.support.control.core import Api
from tests.support.control.records import book, record

IP = "192.0.2.10"
NUMBERS = count()
ALERTS = [rule for rule in TABLE.rules if rule.action == "alert"]
DEFERRED = (
    "smtp;421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your "
    "IP address. To protect our users from spam, mail sent from your IP address has been "
    "temporarily rate limited."
)


@pytest.fixture(autouse=True)
def _learnt() -> Iterator[None]:
    """A hosted domain of each provider."""
    learn({f"at-{p}.example": p for rule in TABLE.rules for p in rule.providers})
    yield
    learn({})


@pytest.fixture
async def here(core: Parts, api: Api) -> Parts:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    source = {"tenant": "acme", "domain": "acme.test", "ip": IP}
    assert (await api("POST", "/api/v2/domains", source))[0] == 201
    await core.clock.move(ClockMove(advance="1m"))
    return core


async def said(core: Parts, diagnosis: str, to: str, **more: str) -> None:
    """One record, now, of a message of its own."""
    now = await core.calendar()
    kind = "t" if diagnosis.removeprefix("smtp;").startswith("4") else "b"
    of = {"dsnDiag": diagnosis, "rcpt": f"anna@{to}", "timeLogged": str(now // 1000)}
    message = f"abcdef{next(NUMBERS):04}"
    await book(core, record(kind, message, day=day_of(now), **(of | more)))


def hosted(rule: ReplyRule) -> str:
    return f"at-{rule.providers[0]}.example" if rule.providers else "nobodys.example"


async def alerts(core: Parts) -> dict[str, Any]:
    """After one look: those that are open, of replies."""
    assert await watch_of(core).step()
    rows = await core.pool.fetch(
        "SELECT key, severity, what, next FROM alert WHERE recovered IS NULL AND key LIKE 'reply:%'"
    )
    return {row["key"]: row for row in rows}


async def test_each_golden_reply_that_somebody_has_to_put_right_is_in_an_alert(
    here: Parts,
) -> None:
    for rule in ALERTS:
        await said(here, rule.golden, hosted(rule))
    rows = await here.pool.fetch("SELECT rule, provider, count FROM warmup_reply")
    assert sorted((row["rule"], row["count"]) for row in rows) == sorted(
        (rule.name, 1) for rule in ALERTS
    )
    assert {row["provider"] for row in rows if row["rule"].startswith("gmail-")} == {"gmail"}
    found = await alerts(here)
    assert set(found) == {f"reply:{rule.scope}-{rule.kind}:acme" for rule in ALERTS}
    await here.warmup.look(turn=False)
    decided = await here.pool.fetchval("SELECT count(*) FROM warmup_decision WHERE act <> 'hold'")
    assert (decided, await here.pool.fetchval("SELECT state FROM virtual_mta")) == (0, "warming")


async def test_an_alert_says_who_said_what_of_which_domain_and_what_to_do(here: Parts) -> None:
    dmarc = next(rule for rule in ALERTS if rule.name == "gmail-auth-dmarc")
    microsoft = next(rule for rule in ALERTS if "5.7.515" in rule.golden)
    await said(here, microsoft.golden, "hotmail.com")
    for _ in range(3):
        await said(here, dmarc.golden, "gmail.com", header_From="News <news@shop.acme.test>")
    (found,) = (await alerts(here)).values()
    assert (found["key"], found["severity"]) == ("reply:domain-auth:acme", "warning")
    assert found["what"] == (
        "mail of tenant acme is not authenticated (SPF, DKIM, DMARC): gmail 3 times "
        f"(gmail-auth-dmarc), microsoft 1 time ({microsoft.name}), last of "
        f"shop.acme.test by {IP}; no IP is held up for it"
    )
    assert found["next"].startswith(
        "publish what `sendgate domain show shop.acme.test --tenant acme` lists; https://"
    )
    # Nobody says it any more, and it stays so for a while.
    for step in ("2d", "1h"):
        await here.clock.move(ClockMove(advance=step))
        found_now = await alerts(here)
    assert found_now == {}


async def providers(core: Parts) -> list[str]:
    rows = await core.pool.fetch("SELECT provider FROM warmup_reply ORDER BY provider")
    return [row["provider"] for row in rows]


async def test_a_company_at_workspace_is_refused_by_google(here: Parts) -> None:
    """As DNS has told, and by the name of the server that answered before it has."""
    await said(here, DEFERRED, "at-gmail.example")
    assert await providers(here) == ["gmail"]
    await here.pool.execute("DELETE FROM warmup_reply")
    await said(here, DEFERRED, "unheard.example", dsnMta="aspmx.l.google.com (142.250.27.26)")
    assert await providers(here) == ["gmail"]
    await here.pool.execute("DELETE FROM warmup_reply")
    await said(here, DEFERRED, "unheard.example", dsnMta="mx.unheard.example (198.51.100.7)")
    assert await providers(here) == ["other"]


async def test_sums_go_by_what_was_learnt_meanwhile(here: Parts) -> None:
    learn({})
    await said(here, DEFERRED, "at-gmail.example")
    learn({"at-gmail.example": "gmail"})
    await said(here, DEFERRED, "at-gmail.example")
    rows = await here.pool.fetch("SELECT provider, deferred FROM statistics_ip ORDER BY provider")
    assert [(row["provider"], row["deferred"]) for row in rows] == [("gmail", 1), ("other", 1)]
