"""Doubt ends by evidence and by nothing else (policy/README.md: doubt)."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.hold.held import Settlement
from gateway.hold.settle.proof import Proof
from gateway.releaser import ReleaserProcess
from policy.identity import parse_envelope
from policy.limits import DAY
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, campaign_mail, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import execute, rows, states
from tests.support.pmta.standin import StandIn

STREAM = "INSERT INTO accounting_stream (server, path, since) VALUES ('pmta1', '/x', 0)"
RECEIPT = (
    "INSERT INTO receipt (day, message, attempt, key, server, kinds, at) "
    "VALUES ($1, $2, $3, '', 'pmta1', 'r', 0)"
)
GAP = 900_000


class Doubtful:
    """A gateway with one message in doubt: PowerMTA took the dot, or lost it, and said nothing."""

    def __init__(
        self, url: str, gate: GatewayUnderTest, pmta: StandIn, releasing: ReleaserProcess
    ) -> None:
        self.url = url
        self.gate = gate
        self.pmta = pmta
        self.releasing = releasing

    async def row(self) -> dict[str, Any]:
        [found] = await rows(self.url)
        return found

    async def is_state(self, state: str) -> bool:
        return (await self.row())["state"] == state

    async def advance(self, milliseconds: int) -> None:
        now, _ = await self.gate.admin.now()
        assert await self.gate.admin.set_clock(now + milliseconds)

    async def probes(self, least: int = 1) -> list[dict[str, Any]]:
        """Accepted probes, once there are so many."""

        async def look() -> list[dict[str, Any]]:
            found = await probes(self.url)
            return found if len(found) >= least else []

        found: list[dict[str, Any]] = await until(look)
        return found

    async def looks(self) -> None:
        """One whole look at every doubt, and what it settled written."""
        await self.releasing.doubts.settle()
        await self.releasing._holding.settler.drain(5.0)


async def probes(url: str) -> list[dict[str, Any]]:
    link = await asyncpg.connect(url)
    try:
        return [
            dict(r) for r in await link.fetch("SELECT * FROM probe WHERE accepted ORDER BY sent")
        ]
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def doubtful(
    valkey_url: str, hold_url: str, rcpt: str = "lose-after-dot@dest.test", body: str = ""
) -> AsyncIterator[Doubtful]:
    settings = holding(valkey_url, hold_url, relay={"budget": 3.0})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port)) as gate,
        releaser(settings) as releasing,
    ):
        wire = await gate.wire()
        answer = await wire.send(rcpt, body=body or MESSAGE.format(1))
        assert answer.endswith("(to be confirmed)")
        await wire.close()
        yield Doubtful(hold_url, gate, pmta, releasing)


async def test_a_lost_answer_is_held_in_doubt_charged_and_acknowledged(
    valkey_url: str, hold_url: str
) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        row = await case.row()
        assert (row["state"], row["reason"], row["server"]) == ("doubt", "unknown", "pmta1")
        assert await case.gate.used("192.0.2.1") == {"192.0.2.1": 1}


async def test_a_record_of_the_attempt_is_delivery(valkey_url: str, hold_url: str) -> None:
    async with doubtful(valkey_url, hold_url, "drop-after-dot@dest.test") as case:
        [sent] = await case.pmta.messages()
        known = parse_envelope(sent.envid)
        assert known is not None
        await execute(hold_url, RECEIPT, known.day, known.message, known.attempt)
        await until(lambda: case.is_state("done"))
        assert (await case.row())["ending"] == "relayed"


async def test_a_record_of_another_attempt_says_nothing(valkey_url: str, hold_url: str) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        row = await case.row()
        await execute(hold_url, RECEIPT, 20_000, row["id"], row["attempt"] + 1)
        await case.looks()
        assert await case.is_state("doubt")


async def test_without_a_receipt_stream_no_probe_is_sent_and_doubt_waits(
    valkey_url: str, hold_url: str
) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        await case.advance(2 * DAY)
        await case.looks()
        assert await case.is_state("doubt")
        assert await probes(hold_url) == []
        assert await case.pmta.messages() == []


async def test_two_read_probes_a_quarter_of_an_hour_apart_prove_the_absence(
    valkey_url: str, hold_url: str
) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        await execute(hold_url, STREAM)
        [first] = await case.probes()
        await execute(hold_url, "UPDATE probe SET read = true")
        await case.looks()
        assert await case.is_state("doubt"), "one probe proves nothing"
        await case.advance(GAP)
        await case.probes(2)
        await case.looks()
        assert await case.is_state("doubt"), "the second one was not read"
        await execute(hold_url, "UPDATE probe SET read = true")
        await until(lambda: _left_doubt(case))
        assert (await case.row())["attempt"] >= 1
        taken = [m.envid for m in await case.pmta.messages()]
        assert f"probe-{first['id']}" in taken


async def _left_doubt(case: Doubtful) -> bool:
    row = await case.row()
    return row["state"] != "doubt" or row["attempt"] > 1


async def test_probes_of_before_the_dot_prove_nothing(valkey_url: str, hold_url: str) -> None:
    for name, sent in (("a", 1), ("b", 1 + GAP)):
        await execute(
            hold_url, "INSERT INTO probe VALUES ($1, 'pmta1', $2, true, true)", name, sent
        )
    async with doubtful(valkey_url, hold_url) as case:
        await execute(hold_url, STREAM)
        await case.looks()
        assert await case.is_state("doubt")


async def test_a_gap_in_the_stream_proves_nothing(valkey_url: str, hold_url: str) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        await execute(hold_url, STREAM)
        await case.probes()
        await case.advance(GAP)
        now, _ = await case.gate.admin.now()
        await execute(hold_url, "UPDATE accounting_stream SET gap_at = $1", now)
        await case.probes(2)
        await execute(hold_url, "UPDATE probe SET read = true")
        await case.looks()
        assert await case.is_state("doubt")


async def test_a_claim_whose_process_is_gone_is_doubt_and_never_held(
    valkey_url: str, hold_url: str
) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        await execute(hold_url, "UPDATE held SET state = 'claimed', claimant = 'nobody'")
        settings = holding(valkey_url, hold_url, hold={"lease": 5.0, "sweep": 0.2})
        async with releaser(settings):
            await until(lambda: case.is_state("doubt"))
        assert (await case.row())["detail"] == "the process that was sending it is gone"


async def test_a_claim_found_dead_hours_later_is_in_doubt_since_its_lease_ended(
    valkey_url: str, hold_url: str
) -> None:
    """A gap in between may have the receipt of what it sent: such a doubt is not settled by what
    was read behind the gap."""
    async with doubtful(valkey_url, hold_url) as case:
        claimed = (await case.row())["since"]
        await execute(hold_url, "UPDATE held SET state = 'claimed', claimant = 'nobody'")
        await case.advance(3 * 3_600_000)
        settings = holding(valkey_url, hold_url, hold={"lease": 5.0, "sweep": 0.2})
        async with releaser(settings):
            await until(lambda: case.is_state("doubt"))
        assert (await case.row())["since"] == claimed + 5_000


def test_a_gap_just_before_a_doubt_may_have_its_receipt() -> None:
    proof = Proof(proven=2_000_000, gap_at=1_000_000)
    assert proof.covers(1_085_001, 85_000)
    assert not proof.covers(1_085_000, 85_000)
    assert not proof.covers(2_000_001, 85_000)


@pytest.mark.parametrize(("first", "then"), [("done", "done"), ("refused", "goes")])
async def test_a_copy_in_doubt_follows_the_first_one(
    valkey_url: str, hold_url: str, first: str, then: str
) -> None:
    body = campaign_mail("s123456789", 1)
    async with doubtful(valkey_url, hold_url, body=body) as case:
        wire = await case.gate.wire()
        again = await wire.send("lose-after-dot@dest.test", body=campaign_mail("s123456789", 2))
        assert again.endswith("queued")
        await wire.close()
        [one, copy] = await rows(hold_url)
        assert (copy["state"], copy["behind"]) == ("doubt", one["id"])
        await execute(
            hold_url,
            "UPDATE held SET state = $1, ending = 'dropped' WHERE id = $2",
            first,
            one["id"],
        )

        async def settled() -> bool:
            found = next(r for r in await rows(hold_url) if r["id"] == copy["id"])
            if then == "done":
                return (found["state"], found["ending"]) == ("done", "duplicate")
            return found["attempt"] > copy["attempt"]

        await until(settled)


async def test_a_copy_that_went_by_itself_is_in_doubt_of_itself(
    valkey_url: str, hold_url: str
) -> None:
    """It waited behind a first one that ended unsent; its own lost answer is its own."""
    body = campaign_mail("s123456789", 1)
    async with doubtful(valkey_url, hold_url, "drop-after-dot@dest.test", body=body) as case:
        wire = await case.gate.wire()
        again = campaign_mail("s123456789", 2)
        assert (await wire.send("drop-after-dot@dest.test", body=again)).endswith("queued")
        await wire.close()
        [one, copy] = await rows(hold_url)
        assert (copy["state"], copy["behind"]) == ("doubt", one["id"])
        await execute(
            hold_url,
            "UPDATE held SET state = 'refused', ending = 'failed' WHERE id = $1",
            one["id"],
        )

        async def went() -> bool:
            found = await rows(hold_url, "state = 'doubt' AND attempt > 0")
            return [row["id"] for row in found] == [copy["id"]]

        await until(went)
        for _ in range(20):
            await case.looks()
        taken = [m.envid for m in await case.pmta.messages()]
        assert len(taken) == 2, "one copy each, however often its doubt is looked at"
        [doubt] = await rows(hold_url, "state = 'doubt'")
        assert (doubt["behind"], doubt["envelope"], doubt["attempt"]) == ("", taken[1], 1)


async def test_a_restored_copy_has_records_of_its_own(valkey_url: str, hold_url: str) -> None:
    """Since the dump it may have gone: its first one decides only when that is disproved."""
    async with doubtful(valkey_url, hold_url) as case:
        row = await case.row()
        await execute(
            hold_url,
            "UPDATE held SET reason = 'duplicate', behind = 'first', envelope = '', vmta = ''",
        )
        await execute(hold_url, "SELECT hold_restore($1)", row["since"])
        found = await case.row()
        assert (found["reason"], found["behind"], found["server"]) == ("restored", "first", "")
        await case.looks()
        assert await case.is_state("doubt"), "nothing says that it did not go"
        await execute(hold_url, RECEIPT, 20_000, row["id"], row["attempt"] + 3)
        await case.looks()
        assert ((await case.row())["state"], (await case.row())["ending"]) == ("done", "relayed")


ASK = (
    "INSERT INTO hold_request (at, who, action, tenant, force, outcome) "
    "VALUES (now(), 'me', $1, 'acme', $2, $3)"
)


async def test_doubt_is_neither_dropped_nor_released(valkey_url: str, hold_url: str) -> None:
    async with doubtful(valkey_url, hold_url):
        for action in ("drop", "release"):
            # As an older control may have asked.
            await execute(hold_url, ASK, action, True, "")
        await until(lambda: _asked(hold_url))
        assert await states(hold_url) == {"doubt": 1}


async def _asked(url: str) -> bool:
    link = await asyncpg.connect(url)
    try:
        return not await link.fetchval("SELECT count(*) FROM hold_request WHERE state <> 'done'")
    finally:
        await link.close()


@pytest.mark.parametrize("outcome", ["delivered", "absent"])
async def test_an_operator_says_what_became_of_it(
    valkey_url: str, hold_url: str, outcome: str
) -> None:
    """Nobody reads accounting: the message and a copy of it wait for a word."""
    body = campaign_mail("s123456789", 1)
    name = "drop-after-dot" if outcome == "delivered" else "lose-after-dot"
    async with doubtful(valkey_url, hold_url, f"{name}@dest.test", body=body) as case:
        wire = await case.gate.wire()
        again = campaign_mail("s123456789", 2)
        assert (await wire.send(f"{name}@dest.test", body=again)).endswith("queued")
        [first, copy] = await rows(hold_url)
        # Nothing may go until the copy is settled: a first one that is in doubt again, which a
        # quick releaser makes it, leaves its copy in doubt as well.
        await case.gate.publish(generation(vmta(1, daily=0), number=2, port=case.pmta.smtp_port))
        await execute(hold_url, ASK, "settle", False, outcome)

        async def is_duplicate() -> bool:
            found = {row["id"]: row for row in await rows(hold_url)}
            return bool(found[copy["id"]]["ending"] == "duplicate")

        await until(is_duplicate)
        await case.gate.publish(generation(vmta(1), number=3, port=case.pmta.smtp_port))

        async def over() -> bool:
            found = {row["id"]: row for row in await rows(hold_url)}
            return bool(found[first["id"]]["attempt"] == 2 or found[first["id"]]["state"] == "done")

        await until(over)
        await case.releasing.parts.reserver.drain()
        settled = next(row for row in await rows(hold_url) if row["id"] == first["id"])
        if outcome == "delivered":
            assert (settled["state"], settled["ending"]) == ("done", "relayed")
            assert len(await case.pmta.messages()) == 1
            third = campaign_mail("s123456789", 3)
            answer = await wire.send(f"{name}@dest.test", body=third)
            assert answer == f"250 2.0.0 OK {first['id']} (received before)"
            assert await case.gate.used("192.0.2.1") == {"192.0.2.1": 1}
        else:
            # Its first charge stays: too high, never too low.
            assert await case.gate.used("192.0.2.1") == {"192.0.2.1": 2}
        await wire.close()


async def test_what_an_operator_says_was_delivered_is_known_as_sent(
    valkey_url: str, hold_url: str
) -> None:
    """No copy was there whose own end would have said so."""
    body = campaign_mail("s123456789", 1)
    async with doubtful(valkey_url, hold_url, "drop-after-dot@dest.test", body=body) as case:
        await execute(hold_url, ASK, "settle", False, "delivered")
        await until(lambda: case.is_state("done"))
        await case.releasing.parts.reserver.drain()
        wire = await case.gate.wire()
        again = campaign_mail("s123456789", 2)
        answer = await wire.send("drop-after-dot@dest.test", body=again)
        await wire.close()
        assert answer == f"250 2.0.0 OK {(await case.row())['id']} (received before)"
        assert len(await case.pmta.messages()) == 1


async def test_a_late_reply_outranks_the_word_that_it_was_absent(
    valkey_url: str, hold_url: str
) -> None:
    async with doubtful(valkey_url, hold_url) as case:
        # Nothing may go: it waits where the word put it.
        await case.gate.publish(generation(vmta(1, daily=0), number=2, port=case.pmta.smtp_port))
        row = await case.row()
        await execute(hold_url, ASK, "settle", False, "absent")
        await until(lambda: case.is_state("held"))
        done = Settlement(
            bucket=row["bucket"], id=row["id"], attempt=row["attempt"], state="done",
            ending="relayed",
        )  # fmt: skip
        case.releasing._holding.settler.settle([done])
        await case.releasing._holding.settler.drain(5.0)
        assert await case.is_state("done")
