"""What time and operators do to held mail: expiry, reports, orders, contents, days."""

import base64
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from gateway.releaser import ReleaserProcess
from policy.ledger_port import Duplicate, EntryState
from policy.limits import DAY
from policy.model import HoldBounds
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, campaign_mail, until
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import execute, rows
from tests.support.pmta.standin import StandIn

CAMPAIGN = "ab123456789cd"


class Held:
    """A gateway whose only IP may send nothing today."""

    def __init__(
        self,
        url: str,
        gate: GatewayUnderTest,
        pmta: StandIn,
        releasing: ReleaserProcess,
        terms: Any,
    ) -> None:
        self.url = url
        self.gate = gate
        self.pmta = pmta
        self.releasing = releasing
        self._terms = terms

    async def send(self, rcpt: str, body: str, sender: str = "bounce@acme.test") -> None:
        wire = await self.gate.wire()
        assert (await wire.send(rcpt, body=body, sender=sender)).endswith("queued")
        await wire.close()

    async def publish(self, number: int, daily: int, **terms: Any) -> None:
        await self.gate.publish(_plan(self.pmta, number, daily, {**self._terms, **terms}))

    async def advance(self, milliseconds: int) -> None:
        now, _ = await self.gate.admin.now()
        assert await self.gate.admin.set_clock(now + milliseconds)
        await until(lambda: self._sees(now + milliseconds))

    async def _sees(self, then: int) -> bool:
        return self.releasing.parts.clock.now() >= then

    async def tidy(self) -> None:
        await self.releasing.housekeeping.run()
        await self.releasing.parts.reserver.drain()

    async def order(self, action: str, **where: str) -> None:
        columns = ", ".join(where)
        values = ", ".join(f"${n}" for n in range(2, len(where) + 2))
        await execute(
            self.url,
            f"INSERT INTO hold_request (at, who, action, {columns}) "
            f"VALUES (now(), 'me', $1, {values})",
            action,
            *where.values(),
        )

        async def done() -> bool:
            await self.releasing.requests.step()
            found = await fetch(self.url, "SELECT 1 FROM hold_request WHERE state <> 'done'")
            return not found

        await until(done)

    async def events(self) -> list[dict[str, Any]]:
        return await fetch(self.url, "SELECT * FROM hold_event ORDER BY id")


async def fetch(url: str, statement: str) -> list[dict[str, Any]]:
    link = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await link.fetch(statement)]
    finally:
        await link.close()


def _plan(pmta: StandIn, number: int, daily: int, terms: Any) -> Any:
    house = tenant(**terms)
    return generation(vmta(1, daily=daily), number=number, port=pmta.smtp_port, tenants=(house,))


@contextlib.asynccontextmanager
async def held(
    valkey_url: str, hold_url: str, hold: Any = None, terms: Any = None, **more: Any
) -> AsyncIterator[Held]:
    terms = {**(terms or {}), **more}
    settings = holding(
        valkey_url, hold_url, ledger={"denial_cache": 0.0}, hold={"sweep": 60.0, **(hold or {})}
    )
    async with (
        StandIn.start() as pmta,
        gateway(settings, _plan(pmta, 1, 0, terms)) as gate,
        releaser(settings) as releasing,
    ):
        yield Held(hold_url, gate, pmta, releasing, terms)


async def test_what_waits_too_long_expires_softly_and_may_be_sent_again(
    valkey_url: str, hold_url: str
) -> None:
    bounds = HoldBounds(age=2 * 86_400.0)
    async with held(valkey_url, hold_url, terms={"hold": bounds}) as case:
        await case.send("a@dest.test", campaign_mail("s123456789", 1))
        await case.advance(2 * DAY - 60_000)
        await case.tidy()
        assert [row["state"] for row in await rows(hold_url)] == ["held"]
        await case.advance(120_000)

        async def expired() -> bool:
            # A row that a releaser is looking at just then is left for the next time.
            await case.tidy()
            return [row["state"] for row in await rows(hold_url)] == ["refused"]

        await until(expired)
        [row] = await rows(hold_url)
        assert (row["state"], row["ending"]) == ("refused", "expired")
        [event] = await case.events()
        assert (event["kind"], event["class"], event["dsn"]) == ("expired", "soft", "")
        assert event["message_id"] == "<1@acme.test>"
        # The campaign is sent again: its first copy is gone, so this one is no duplicate.
        await case.send("a@dest.test", campaign_mail("s123456789", 2))
        assert [r["state"] for r in await rows(hold_url)] == ["refused", "held"]


async def test_a_late_refusal_is_an_event_and_a_report_where_it_is_wanted(
    valkey_url: str, hold_url: str
) -> None:
    async with held(valkey_url, hold_url, dsn=True) as case:
        await case.send("refuse@dest.test", MESSAGE.format(1))
        await case.send("refuse@dest.test", MESSAGE.format(2), sender="")
        await case.publish(2, daily=10)

        async def reported() -> bool:
            found = await case.events()
            return len(found) == 2 and found[0]["dsn"] == "sent"

        await until(reported)
        first, second = await case.events()
        assert {first["class"], second["class"]} == {"soft"}
        assert second["dsn"] == "", "a null sender gets no report"
        [report] = [m for m in await case.pmta.messages() if m.rcpts == ["bounce@acme.test"]]
        assert (report.mail_from, report.vmta) == ("", "sendgate-system")
        assert report.content is not None
        assert b"Final-Recipient: rfc822; refuse@dest.test\r\nAction: failed\r\n" in report.content
        assert b"In-Reply-To: <1@acme.test>\r\n" in report.content
        await case.releasing.parts.reserver.drain()
        assert await case.gate.used("192.0.2.1") == {"192.0.2.1": 0}


async def test_hazard_17_a_stopped_campaign_waits_and_goes_when_it_is_resumed(
    valkey_url: str, hold_url: str
) -> None:
    async with held(valkey_url, hold_url) as case:
        await case.send("a@dest.test", campaign_mail("s123456789", 1))
        await case.send("b@dest.test", MESSAGE.format(2))
        await case.publish(2, daily=10, paused_campaigns=(CAMPAIGN,))
        await until(lambda: _ended(hold_url, 1))
        await case.send("c@dest.test", campaign_mail("t123456789", 3))
        [stopped, other, new] = await rows(hold_url)
        assert (stopped["paused"], other["state"]) == (True, "done")
        assert new["reason"] == "campaign_paused"
        await case.publish(3, daily=10)
        await case.order("resume", tenant="acme", campaign=CAMPAIGN)
        await until(lambda: _ended(hold_url, 3))


async def test_what_is_paused_by_hand_stays_when_others_are_released(
    valkey_url: str, hold_url: str
) -> None:
    async with held(valkey_url, hold_url) as case:
        await case.send("a@dest.test", MESSAGE.format(1))
        await case.order("pause", tenant="acme")
        await case.order("release", tenant="acme")
        [row] = await rows(hold_url)
        assert (row["paused"], row["state"]) == (True, "held")
        await case.order("resume", tenant="acme")
        [row] = await rows(hold_url)
        assert not row["paused"]


async def _ended(url: str, count: int) -> bool:
    return sum(row["state"] == "done" for row in await rows(url)) == count


async def test_a_dropped_message_leaves_no_entry_behind(valkey_url: str, hold_url: str) -> None:
    async with held(valkey_url, hold_url) as case:
        await case.send("a@dest.test", campaign_mail("s123456789", 1))
        [row] = await rows(hold_url)
        await case.order("drop", campaign=CAMPAIGN)

        async def freed() -> bool:
            entry = await case.releasing.parts.reserver.look(row["key"])
            return isinstance(entry, Duplicate) and entry.state is EntryState.FREE

        await until(freed)
        await case.send("a@dest.test", campaign_mail("s123456789", 2))
        found = [(row["state"], row["ending"]) for row in await rows(hold_url)]
        assert found == [("refused", "dropped"), ("held", "")]


async def test_an_address_is_forgotten_in_every_spelling_of_its_domain(
    valkey_url: str, hold_url: str
) -> None:
    async with held(valkey_url, hold_url) as case:
        await case.send("ana@DEST.test", MESSAGE.format(1))
        await case.send("bob@dest.test", MESSAGE.format(2))
        await case.order("forget", recipient="ana@dest.test")
        [gone, kept] = await rows(hold_url)
        assert (gone["recipient"], gone["ending"]) == (b"", "forgotten")
        assert kept["recipient"] == b"bob@dest.test"
        assert (
            await fetch(hold_url, "SELECT 1 FROM hold_request WHERE recipient LIKE '%ana%'") == []
        )


async def test_contents_are_sealed_and_open_after_a_key_was_changed(
    valkey_url: str, hold_url: str
) -> None:
    old, new = (f"k{n}:{base64.urlsafe_b64encode(os.urandom(32)).decode()}" for n in (1, 2))
    async with held(valkey_url, hold_url, hold={"keys": (old,)}) as case:
        await case.send("a@dest.test", MESSAGE.format(1))
        [body] = await fetch(hold_url, "SELECT codec, content FROM held_body")
        assert body["codec"] == "zstd:k1"
    changed = holding(valkey_url, hold_url, hold={"keys": (new, old)})
    async with StandIn.start() as pmta, gateway(changed, _plan(pmta, 2, 10, {})):
        async with releaser(changed):
            await until(lambda: _ended(hold_url, 1))
        [message] = await pmta.messages()
        assert message.content == MESSAGE.format(1).encode()


async def test_contents_go_soon_and_whole_days_go_when_their_history_is_over(
    valkey_url: str, hold_url: str
) -> None:
    keep = {"body_kept": 3600.0, "history_kept": 2 * 86_400.0}
    async with held(valkey_url, hold_url, hold=keep) as case:
        for number in range(20):
            await case.send(f"r{number}@dest.test", MESSAGE.format(number))
        before = await _partitions(hold_url)
        await case.publish(2, daily=100)
        await until(lambda: _ended(hold_url, 20))
        await case.tidy()
        assert len(await fetch(hold_url, "SELECT 1 FROM held_body")) == 20
        await case.advance(3_700_000)
        await case.tidy()
        assert await fetch(hold_url, "SELECT 1 FROM held_body") == []
        assert len(await rows(hold_url)) == 20
        await case.advance(2 * DAY + DAY)
        await case.tidy()
        assert await rows(hold_url) == []
        assert before[0] not in await _partitions(hold_url)


async def _partitions(url: str) -> list[str]:
    found = await fetch(
        url,
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits "
        "WHERE inhparent = 'held'::regclass ORDER BY 1",
    )
    return [row["name"] for row in found]


async def test_a_day_with_open_mail_is_kept(valkey_url: str, hold_url: str) -> None:
    async with held(valkey_url, hold_url, hold={"history_kept": 1.0}) as case:
        await case.send("a@dest.test", MESSAGE.format(1))
        await case.advance(20 * DAY)
        await case.tidy()
        assert [row["state"] for row in await rows(hold_url)] == ["held"]


async def test_events_and_requests_that_are_over_are_forgotten_in_the_end(
    valkey_url: str, hold_url: str
) -> None:
    async with held(valkey_url, hold_url) as here:
        await here.send("a@dest.test", MESSAGE.format(1))
        await here.order("drop", tenant="acme")
        for name, dsn in (("m1", ""), ("m2", "sent"), ("m3", "sending")):
            await execute(
                hold_url,
                "INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, "
                "sender, recipient, campaign, detail, dsn) VALUES ($1, 'acme', $2, 'expired', "
                "'soft', '', '', '', '', '', '', $3)",
                here.releasing.parts.clock.now(),
                name,
                dsn,
            )
        await here.tidy()
        for table, count in (("hold_event", 3), ("hold_request", 1)):
            assert len(await fetch(hold_url, f"SELECT 1 FROM {table}")) == count
        await here.advance(91 * DAY)
        await here.tidy()
        left = await fetch(hold_url, "SELECT message FROM hold_event ORDER BY message")
        assert [row["message"] for row in left] == ["m3"], "its report is on its way"
        assert await fetch(hold_url, "SELECT action FROM hold_request") == []
