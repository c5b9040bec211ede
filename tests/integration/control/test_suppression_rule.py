"""What PowerMTA's records suppress: by the door, in the transaction in which they count."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from settings.tasks import cancel
from tests.support.control.core import Api

POST = "/api/v2/powermta/accounting"
VMTA = {"acme": "vmta-192-0-2-10", "globex": "vmta-192-0-2-20"}


@pytest.fixture
async def stocked(api: Api, core: Parts) -> AsyncIterator[Api]:
    """Two tenants with an IP each, and posted batches are taken in."""
    for name, ip in (("acme", "192.0.2.10"), ("globex", "192.0.2.20")):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": name, "domain": f"{name}.example", "ip": ip, "vmta": VMTA[name]}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    task = asyncio.create_task(core.intake.inbox.run())
    yield api
    await cancel([task])


def record(kind: str = "b", rcpt: str = "anna@gmail.com", **fields: str) -> dict[str, str]:
    named = {
        "type": kind,
        "timeLogged": time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime()),
        "rcpt": rcpt,
        "bounceCat": "bad-mailbox",
        "dsnStatus": "5.1.1 (bad destination mailbox address)",
        "dsnDiag": "smtp;550 5.1.1 unknown user",
        "vmta": VMTA["acme"],
    }
    return named | fields


async def post(api: Api, core: Parts, *records: dict[str, Any]) -> None:
    """And taken in."""
    body = b"".join(json.dumps(one).encode() + b"\n" for one in records)
    status, answer = await api("POST", POST, raw=body)
    assert status == 200, answer
    async with asyncio.timeout(20):
        while (await core.intake.inbox.state()).waiting:
            await asyncio.sleep(0.01)


async def listed(core: Parts) -> dict[tuple[str, str], str]:
    """(tenant, address) to the reason."""
    rows = await core.pool.fetch(
        "SELECT tenant, address, reason FROM suppression WHERE removed IS NULL"
    )
    return {(row["tenant"], row["address"]): row["reason"] for row in rows}


async def test_hard_bounces_and_complaints_suppress_for_the_tenant_of_the_record(
    stocked: Api, core: Parts
) -> None:
    await post(
        *(stocked, core),
        record(rcpt="Hard@GMAIL.com", timeLogged="2026-01-01 00:00:00+0000"),
        record(rcpt="async@gmail.com", type="rb", vmta="", dlvSourceIp="192.0.2.20"),
        record(rcpt="misspelt@gmail.com", bounceCat="inactiv-mailbox", dsnStatus="", dsnDiag=""),
        record(rcpt="status@gmail.com", bounceCat="our-own-word", vmta=VMTA["globex"].upper()),
        record("f", "<spam@gmail.com>", vmta="", dlvSourceIp="192.0.2.10", feedbackType="abuse"),
        record("f", "bye@gmail.com", feedbackType="opt-out"),
    )
    assert await listed(core) == {
        ("acme", "Hard@gmail.com"): "bounce",
        ("globex", "async@gmail.com"): "bounce",
        ("acme", "misspelt@gmail.com"): "bounce",
        ("globex", "status@gmail.com"): "bounce",
        ("acme", "spam@gmail.com"): "complaint",
        ("acme", "bye@gmail.com"): "unsubscribe",
    }
    row = await core.pool.fetchrow("SELECT * FROM suppression WHERE address = 'Hard@gmail.com'")
    assert (row["origin"], row["who"]) == ("rule", "accounting")
    assert row["since"] == 1_767_225_600_000, "since the record was written"
    assert "unknown user" in row["note"]


@pytest.mark.parametrize("path", [{}, {"vmta": "", "dlvSourceIp": "192.0.2.10"}])
async def test_a_complaint_is_the_tenants_who_had_the_ip_on_the_day_of_the_mail(
    stocked: Api, core: Parts, path: dict[str, str]
) -> None:
    """The VirtualMTA and its IP changed tenants between the mail and the complaint."""
    today = int(time.time() // 86_400)
    await core.pool.execute("UPDATE vmta_ip SET created = created - interval '9 days'")
    await core.pool.execute("DELETE FROM pool_member WHERE vmta = $1", VMTA["acme"])
    await core.pool.execute("DELETE FROM virtual_mta WHERE name = $1", VMTA["acme"])
    await core.pool.execute(
        "UPDATE vmta_ip SET removed = removed - interval '4 days' WHERE vmta = $1", VMTA["acme"]
    )
    await core.pool.execute(
        "INSERT INTO vmta_ip (vmta, ip, server, tenant, created) "
        "VALUES ($1, '192.0.2.10', 'pmta1', 'globex', now() - interval '3 days')",
        VMTA["acme"],
    )
    complaint = {"feedbackType": "abuse", **path}
    before, after = f"{today - 5}-1ccccccccc.1", f"{today}-1dddddddddd.1"
    await post(
        *(stocked, core),
        record("f", "before@gmail.com", envId=before, **complaint),
        record("f", "after@gmail.com", envId=after, **complaint),
    )
    assert await listed(core) == {
        ("acme", "before@gmail.com"): "complaint",
        ("globex", "after@gmail.com"): "complaint",
    }


async def test_nothing_else_suppresses(stocked: Api, core: Parts) -> None:
    await post(
        *(stocked, core),
        record("d", "delivered@gmail.com"),
        record("t", "deferred@gmail.com"),
        record(rcpt="full@gmail.com", bounceCat="quota-issues", dsnStatus="5.2.2 (mailbox full)"),
        record(rcpt="block@gmail.com", bounceCat="spam-related", dsnStatus="5.7.1 (refused)"),
        record(rcpt="late@gmail.com", bounceCat="message-expired", dsnStatus="4.4.7 (expired)"),
        record(rcpt="odd@gmail.com", bounceCat="we-do-not-know", dsnStatus="", dsnDiag="?"),
        record("f", "fine@gmail.com", feedbackType="not-spam"),
        record(rcpt="not ours@gmail.com", vmta="someone-elses"),
        record("f", "whose@gmail.com", vmta="", dlvSourceIp="198.51.100.1"),
        {"email": "full2@gmail.com", "reason": "550 5.2.2 mailbox full"},
    )
    assert await listed(core) == {}


async def test_the_small_form_suppresses_for_everybody(stocked: Api, core: Parts) -> None:
    await post(stocked, core, {"email": "Gone@Gmail.com", "reason": "hard bounce"})
    assert await listed(core) == {("", "Gone@gmail.com"): "bounce"}


async def test_a_complaint_without_a_recipient_is_about_the_one_of_its_message(
    stocked: Api, core: Parts
) -> None:
    day = int(time.time() // 86_400)
    await core.pool.execute("SELECT outcome_partition($1)", day)
    for message, recipients in (("1aaaaaaaaa", ["one@x.example"]), ("1bbbbbbbbb", ["a@x", "b@x"])):
        for recipient in recipients:
            await core.pool.execute(
                "INSERT INTO outcome VALUES ($1, 0, $2, 'acme', $3, 'relayed', '', '', '', '', '')",
                *(day, message, recipient),
            )
    await post(
        *(stocked, core),
        record("f", "", vmta="", envId=f"{day}-1aaaaaaaaa.1", feedbackType="abuse"),
        record("f", "", vmta="", envId=f"{day}-1bbbbbbbbb.1", feedbackType="abuse"),
    )
    assert await listed(core) == {("acme", "one@x.example"): "complaint"}


async def test_what_somebody_took_away_comes_back_by_a_newer_record_only(
    stocked: Api, core: Parts
) -> None:
    at = "2026-01-01 00:00:00+0000"
    await post(stocked, core, record(timeLogged=at))
    path = "/api/v2/suppressions?tenant=acme&address=anna@gmail.com"
    assert (await stocked("DELETE", path))[0] == 200
    await post(stocked, core, record(timeLogged="2026-01-02 00:00:00+0000"))
    assert await listed(core) == {}, "it was written before somebody said it is over"
    removed = await core.pool.fetchval("UPDATE suppression SET removed = 1 RETURNING change")
    await post(stocked, core, record(timeLogged="2026-01-03 00:00:00+0000"))
    assert await listed(core) == {("acme", "anna@gmail.com"): "bounce"}
    assert await core.pool.fetchval("SELECT change FROM suppression") > removed


async def test_a_record_leaves_what_is_suppressed_already_as_it_is(
    stocked: Api, core: Parts
) -> None:
    new = {"address": "anna@gmail.com", "tenant": "acme", "reason": "request", "note": "by phone"}
    await stocked("POST", "/api/v2/suppressions", new)
    number = await core.pool.fetchval("SELECT change FROM suppression_state")
    await post(stocked, core, record(), record("f", feedbackType="abuse"))
    row = await core.pool.fetchrow("SELECT reason, note, origin FROM suppression")
    assert tuple(row) == ("request", "by phone", "api")
    assert await core.pool.fetchval("SELECT change FROM suppression_state") == number


async def test_a_full_list_keeps_no_record_from_counting(stocked: Api, core: Parts) -> None:
    await core.pool.execute("UPDATE suppression_state SET entries = 10_000_000")
    await post(stocked, core, record())
    assert await listed(core) == {}
    assert await core.pool.fetchval("SELECT sum(records) FROM accounting_kind") == 1
