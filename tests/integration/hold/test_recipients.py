"""A message with several recipients: held, in doubt, repeated, dropped and restored, each of them
gets it once."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from gateway.releaser import ReleaserProcess
from policy.duplicate import recipient_digest
from policy.identity import parse_envelope
from tests.integration.hold.test_keeping_and_releasing import campaign_mail, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import execute, rows
from tests.support.pmta.standin import StandIn

TAKEN, LOST, B, C = (
    "drop-after-dot@dest.test",
    "lose-after-dot@dest.test",
    "b@DEST.test",
    "c@x.test",
)
STREAM = "INSERT INTO accounting_stream (server, path, since) VALUES ('pmta1', '/x', 0)"
RECEIPT = (
    "INSERT INTO receipt (day, message, attempt, key, server, kinds, at, recipients) "
    "VALUES ($1, $2, $3, $4, 'pmta1', 'r', 0, $5)"
)
GAP = 900_000


class Case:
    """A gateway and a releaser in front of the stand-in."""

    def __init__(
        self, url: str, gate: GatewayUnderTest, pmta: StandIn, own: ReleaserProcess
    ) -> None:
        self.url = url
        self.gate = gate
        self.pmta = pmta
        self.releasing = own

    async def send(self, number: int, *rcpts: str) -> str:
        wire = await self.gate.wire()
        answer = await wire.send(*rcpts, body=campaign_mail("s123456789", number))
        await wire.close()
        return answer

    async def publish(self, number: int, daily: int) -> None:
        plan = generation(vmta(1, daily=daily), number=number, port=self.pmta.smtp_port)
        await self.gate.publish(plan)

    async def looks(self) -> None:
        """One whole look at every doubt, what it settled written, and its entries told."""
        await self.releasing.doubts.settle()
        await self.releasing._holding.settler.drain(5.0)
        await self.releasing.parts.reserver.drain()

    async def recorded(self, *rcpts: str) -> None:
        """PowerMTA's records of the live attempt, of these recipients."""
        envid = (await self.pmta.messages())[0].envid
        known = parse_envelope(envid)
        assert known is not None
        digests = [recipient_digest(rcpt.encode()) for rcpt in rcpts]
        # In one statement: the releaser's own look between two would see no record at all, and
        # send again what `absent` then proves.
        again = (
            " ON CONFLICT (day, message, attempt) DO UPDATE SET recipients = excluded.recipients"
        )
        await execute(
            self.url, RECEIPT + again, known.day, known.message, known.attempt, known.key, digests
        )

    async def absent(self) -> None:
        """Proof that what has no record now was not taken."""
        now, _ = await self.gate.admin.now()
        for name, sent in (("a", now), ("b", now + GAP)):
            await execute(
                self.url, "INSERT INTO probe VALUES ($1, 'pmta1', $2, true, true)", name, sent
            )

    async def taken(self) -> Counter[str]:
        found = [m for m in await self.pmta.messages() if not m.envid.startswith("probe-")]
        return Counter(rcpt for m in found for rcpt in m.rcpts)

    async def fates(self, where: str = "true") -> list[tuple[str, str, str]]:
        return [
            (row["recipient"].decode(), row["state"], row["ending"])
            for row in await rows(self.url, where)
        ]

    async def order(self, action: str, **filters: Any) -> None:
        names = ", ".join(filters)
        places = ", ".join(f"${n + 2}" for n in range(len(filters)))
        await execute(
            self.url,
            f"INSERT INTO hold_request (at, who, action, {names}) "
            f"VALUES (now(), 'me', $1, {places})",
            action,
            *filters.values(),
        )


@contextlib.asynccontextmanager
async def case(valkey_url: str, hold_url: str, daily: int = 10) -> AsyncIterator[Case]:
    settings = holding(valkey_url, hold_url, relay={"budget": 3.0}, ledger={"denial_cache": 0.0})
    async with StandIn.start() as pmta:
        plan = generation(vmta(1, daily=daily), port=pmta.smtp_port)
        async with gateway(settings, plan) as gate, releaser(settings) as own:
            yield Case(hold_url, gate, pmta, own)


async def test_a_record_settles_its_own_recipient(valkey_url: str, hold_url: str) -> None:
    async with case(valkey_url, hold_url) as it:
        assert (await it.send(1, TAKEN, B)).endswith("(to be confirmed)")
        await execute(hold_url, STREAM)
        # As PowerMTA may spell it.
        await it.recorded("b@dest.test")
        await it.absent()
        await it.looks()
        assert await it.fates() == [(TAKEN, "doubt", ""), (B, "done", "relayed")]
        await it.recorded("b@dest.test", TAKEN)
        await it.looks()
        assert await it.fates("state = 'doubt'") == []
        assert await it.taken() == {TAKEN: 1, B: 1}


async def test_after_a_restore_what_powermta_has_a_record_of_does_not_go_again(
    valkey_url: str, hold_url: str
) -> None:
    async with case(valkey_url, hold_url) as it:
        await it.send(1, TAKEN, B)
        await execute(hold_url, "SELECT hold_restore(max(since)) FROM held")
        await execute(hold_url, STREAM)
        await it.recorded(TAKEN, B)
        await it.absent()
        await it.looks()
        assert await it.fates() == [(TAKEN, "done", "relayed"), (B, "done", "relayed")]
        assert await it.taken() == {TAKEN: 1, B: 1}


async def test_a_copy_waits_for_each_recipients_own_fate(valkey_url: str, hold_url: str) -> None:
    async with case(valkey_url, hold_url) as it:
        await it.send(1, LOST, B)
        assert (await it.send(2, B, LOST)).endswith("queued")
        await execute(hold_url, STREAM)
        await it.looks()
        assert Counter(state for _, state, _ in await it.fates()) == {"doubt": 4}
        await it.absent()

        async def went() -> bool:
            return (await it.taken())[B] >= 1

        await until(went)
        for _ in range(5):
            await it.looks()
        assert (await it.taken())[B] == 1
        ended = [ending for to, state, ending in await it.fates() if to == B and state == "done"]
        assert sorted(ended) == ["duplicate", "relayed"]


async def test_a_resend_reaches_whom_the_first_one_did_not(valkey_url: str, hold_url: str) -> None:
    """One recipient is dropped, the others delivered: the next copies go to him, once."""
    async with case(valkey_url, hold_url, daily=0) as it:
        assert (await it.send(1, "a@dest.test", B, C)).endswith("queued")
        await it.order("drop", recipient="a@dest.test")

        async def dropped() -> bool:
            return ("a@dest.test", "refused", "dropped") in await it.fates()

        await until(dropped)
        await it.publish(2, 100)

        async def ended() -> bool:
            return all(state in ("done", "refused") for _, state, _ in await it.fates())

        await until(ended)
        assert await it.taken() == {B: 1, C: 1}
        for number in (2, 3):
            assert (await it.send(number, C, "a@dest.test", B)).endswith("(received before)")
            await until(ended)
            assert await it.taken() == {B: 1, C: 1, "a@dest.test": 1}


async def test_a_copy_of_what_was_relayed_live_goes_to_nobody(
    valkey_url: str, hold_url: str
) -> None:
    async with case(valkey_url, hold_url) as it:
        assert (await it.send(1, B, C)).startswith("250")
        await it.send(2, B, C)

        async def ended() -> bool:
            return [fate[1:] for fate in await it.fates()] == [("done", "duplicate")] * 2

        await until(ended)
        assert await it.taken() == {B: 1, C: 1}
